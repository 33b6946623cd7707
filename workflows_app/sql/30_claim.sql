-- Claim a dispatched step: the dispatch row is the ticket, whoever deletes it runs the step. A duplicate, stale or
-- forged message finds no ticket, and no row comes back. The attempt, its lease and the event commit together.
-- p_sent: whether its message was on the broker, so that its claim tells how far the queue has come.
CREATE OR REPLACE FUNCTION wf_claim(p_instance uuid, p_path text, p_generation int, p_worker text, p_lease float,
    p_sent boolean)
RETURNS TABLE (version_id bigint, workflow text, version text, correlation_id text, number int, role text,
    input jsonb, timeout float)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    i record;
    d record;
    s record;
    at timestamptz;
    head bytea;
BEGIN
    PERFORM 1 FROM workflows_app_dispatch w
        WHERE w.instance_id = p_instance AND w.path = p_path AND w.generation = p_generation;
    IF NOT FOUND THEN RETURN; END IF;
    SELECT x.definition_version_id, x.workflow, x.version, x.correlation_id, x.sequence, x.head_hash INTO i
        FROM workflows_app_instance x WHERE x.id = p_instance FOR UPDATE;
    DELETE FROM workflows_app_dispatch w
        WHERE w.instance_id = p_instance AND w.path = p_path AND w.generation = p_generation
        RETURNING w.queue, w.timeout, w.published_at INTO d;
    IF NOT FOUND THEN RETURN; END IF;
    at := wf_clock();
    UPDATE workflows_app_step t SET
            attempt = t.attempts + 1,
            attempts = t.attempts + 1,
            state = CASE WHEN t.role = 'action' THEN 'running' ELSE t.state END,
            started_at = CASE WHEN t.role = 'action' THEN coalesce(t.started_at, at) ELSE t.started_at END
        WHERE t.instance_id = p_instance AND t.path = p_path
        RETURNING t.attempt, t.role, CASE WHEN t.role = 'action' THEN t.input ELSE t.undo_input END AS input INTO s;
    INSERT INTO workflows_app_attempt (instance_id, path, number, role, state, worker, queue, lease_expires_at,
            timeout_at, stop_requested, started_at)
        VALUES (p_instance, p_path, s.attempt, s.role, 'running', p_worker, d.queue,
            at + make_interval(secs => p_lease), at + make_interval(secs => d.timeout), false, at);
    head := wf_event(p_instance, i.head_hash, i.sequence + 1, 'step.started', p_path, at, 'worker:' || p_worker,
        jsonb_build_object('attempt', s.attempt, 'role', s.role, 'worker', p_worker));
    UPDATE workflows_app_instance x SET sequence = i.sequence + 1, head_hash = head WHERE x.id = p_instance;
    -- Progress of the queue, at most once a second and never waiting for another session's update of it.
    IF p_sent AND d.published_at IS NOT NULL THEN
        UPDATE workflows_app_queue q SET claimed_through = d.published_at WHERE q.name = (
            SELECT n.name FROM workflows_app_queue n WHERE n.name = d.queue
                AND n.claimed_through < d.published_at - interval '1 second' FOR UPDATE SKIP LOCKED);
    END IF;
    RETURN QUERY SELECT i.definition_version_id, i.workflow::text, i.version::text, i.correlation_id::text,
        s.attempt, s.role::text, s.input, d.timeout;
END $$;

-- Renew the leases that one process holds; no row comes back for an attempt that was ended by somebody else.
CREATE OR REPLACE FUNCTION wf_renew(p_instance uuid, p_path text, p_number int, p_lease float)
RETURNS TABLE (stop_requested boolean) LANGUAGE sql AS $$
    UPDATE workflows_app_attempt a SET lease_expires_at = wf_clock() + make_interval(secs => p_lease)
    WHERE a.instance_id = p_instance AND a.path = p_path AND a.number = p_number AND a.state = 'running'
    RETURNING a.stop_requested
$$;
