-- Take a dispatched step: the dispatch row is the ticket, whoever deletes it runs the step. A duplicate, stale or
-- forged message finds no ticket, and the number that comes back is null. The attempt and its lease are made; the caller
-- holds the instance's row, and appends the event.
-- p_sent: whether its message was on the broker, so that its claim tells how far the queue has come.
-- input: the step's own, or what its fallback or its undo works on. idempotency_key: the step's own, or null.
CREATE OR REPLACE FUNCTION wf_take_step(p_instance uuid, p_path text, p_generation int, p_worker text, p_lease float,
    p_sent boolean, p_at timestamptz, OUT number int, OUT role text, OUT input jsonb, OUT timeout float,
    OUT idempotency_key text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    d record;
    s record;
BEGIN
    IF EXISTS (SELECT 1 FROM workflows_app_hold) THEN
        -- What is held goes back: the sweeper publishes it again when it is let go.
        UPDATE workflows_app_dispatch w SET published_at = NULL
            WHERE w.instance_id = p_instance AND w.path = p_path AND w.generation = p_generation
                AND wf_is_held(p_instance, w.queue);
        IF FOUND THEN RETURN; END IF;
    END IF;
    DELETE FROM workflows_app_dispatch w
        WHERE w.instance_id = p_instance AND w.path = p_path AND w.generation = p_generation
        RETURNING w.queue, w.timeout, w.published_at INTO d;
    IF NOT FOUND THEN RETURN; END IF;
    UPDATE workflows_app_step t SET
            attempt = t.attempts + 1,
            attempts = t.attempts + 1,
            state = CASE WHEN t.role <> 'compensation' THEN 'running' ELSE t.state END,
            started_at = CASE WHEN t.role <> 'compensation' THEN coalesce(t.started_at, p_at) ELSE t.started_at END
        WHERE t.instance_id = p_instance AND t.path = p_path
        RETURNING t.attempt, t.role, CASE WHEN t.role = 'action' THEN wf_kept(p_instance, t.input, t.input_from)
            ELSE t.undo_input END AS input, t.idempotency_key INTO s;
    INSERT INTO workflows_app_attempt (instance_id, path, number, role, state, worker, queue, lease_expires_at,
            timeout_at, stop_requested, started_at, own_key)
        VALUES (p_instance, p_path, s.attempt, s.role, 'running', p_worker, d.queue,
            p_at + make_interval(secs => p_lease), p_at + make_interval(secs => d.timeout), false, p_at, s.idempotency_key);
    -- Progress of the queue, at most once a second and never waiting for another session's update of it.
    IF p_sent AND d.published_at IS NOT NULL THEN
        UPDATE workflows_app_queue q SET claimed_through = d.published_at WHERE q.name = (
            SELECT n.name FROM workflows_app_queue n WHERE n.name = d.queue
                AND n.claimed_through < d.published_at - interval '1 second' FOR UPDATE SKIP LOCKED);
    END IF;
    number := s.attempt; role := s.role; input := s.input; timeout := d.timeout;
    idempotency_key := s.idempotency_key;
END $$;

-- What the event of a claim tells.
CREATE OR REPLACE FUNCTION wf_started(p_number int, p_role text, p_worker text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('attempt', p_number, 'role', p_role, 'worker', p_worker)
$$;

-- Claim a dispatched step: take it, append the event, all in one commit. No row comes back where there is no ticket.
-- overrides: as text, the instance's own; null for most.
CREATE OR REPLACE FUNCTION wf_claim(p_instance uuid, p_path text, p_generation int, p_worker text, p_lease float,
    p_sent boolean)
RETURNS TABLE (version_id bigint, workflow text, version text, correlation_id text, number int, role text,
    input jsonb, timeout float, idempotency_key text, overrides text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    i record;
    t record;
    at timestamptz;
    head bytea;
BEGIN
    PERFORM 1 FROM workflows_app_dispatch w
        WHERE w.instance_id = p_instance AND w.path = p_path AND w.generation = p_generation;
    IF NOT FOUND THEN RETURN; END IF;
    SELECT x.definition_version_id, x.workflow, x.version, x.correlation_id, x.sequence, x.head_hash,
            x.overrides INTO i
        FROM workflows_app_instance x WHERE x.id = p_instance FOR UPDATE;
    at := wf_clock();
    SELECT * INTO t FROM wf_take_step(p_instance, p_path, p_generation, p_worker, p_lease, p_sent, at);
    IF t.number IS NULL THEN RETURN; END IF;
    head := wf_event(p_instance, i.head_hash, i.sequence + 1, 'step.started', p_path, at, 'worker:' || p_worker,
        wf_started(t.number, t.role, p_worker));
    UPDATE workflows_app_instance x SET sequence = i.sequence + 1, head_hash = head WHERE x.id = p_instance;
    RETURN QUERY SELECT i.definition_version_id, i.workflow::text, i.version::text, i.correlation_id::text,
        t.number, t.role, t.input, t.timeout, t.idempotency_key, i.overrides::text;
END $$;
