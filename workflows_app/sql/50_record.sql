-- What a decision leads to beside its events and the instance's own row.
--
-- p: {at, instance: {column: value}, new: [step], changed: [step], ended: [{path, number, state, error}],
--     gone: [path], moved: {path: path}, told: [path], withdrawn: [path], cleared: [path], timers: [{path, kind, due_at}],
--     dispatches: [{path, generation, queue, timeout}], levels: {path: priority}, head_start: seconds,
--     remembered: [{path, activity, key, seconds}], children: [{child, step, workflow, version, input, depth, awaited}],
--     notices: [{child, kind, data}], events: [event]}; absent keys of a step stay as they are.
-- Returns the dispatches that may be published once the transaction has committed; the others wait for room in their
-- queue's window.
CREATE OR REPLACE FUNCTION wf_record_rest(p_instance uuid, p jsonb, p_window int)
RETURNS TABLE (path text, generation int, queue text, timeout float) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    at timestamptz := (p->>'at')::timestamptz;
    r jsonb;
BEGIN
    IF p ? 'gone' THEN
        -- Steps that another version of the workflow does not have, and the iterations of such blocks.
        DELETE FROM workflows_app_step s USING jsonb_array_elements_text(p->'gone') AS g(path)
        WHERE s.instance_id = p_instance
            AND (s.path = g.path OR starts_with(s.path, g.path || '[') OR starts_with(s.path, g.path || '-'));
    END IF;
    IF p ? 'moved' THEN
        -- Steps that another version has under another name; what was recorded of them keeps the one of then.
        UPDATE workflows_app_step s SET path = m.value FROM jsonb_each_text(p->'moved') m
            WHERE s.instance_id = p_instance AND s.path = m.key;
        UPDATE workflows_app_timer t SET path = m.value FROM jsonb_each_text(p->'moved') m
            WHERE t.instance_id = p_instance AND t.path = m.key;
        UPDATE workflows_app_subscription s SET path = m.value FROM jsonb_each_text(p->'moved') m
            WHERE s.instance_id = p_instance AND s.path = m.key;
        UPDATE workflows_app_checkpoint c SET path = m.value FROM jsonb_each_text(p->'moved') m
            WHERE c.instance_id = p_instance AND c.path = m.key;
    END IF;
    IF p ? 'new' THEN
        INSERT INTO workflows_app_step (instance_id, path, state, role, generation, attempt, attempts, failures, losses,
            limited, needs_settled, needs_completed, open_children, opened, planned, undo_settled, undo_open, undo_left,
            rerun, stopping, effect_unknown, input, input_from, undo_input, output, output_from, error,
            undo_error, due_at, settled, started_at, ended_at, idempotency_key, error_case)
        SELECT p_instance, r->>'path', r->>'state', r->>'role', (r->>'generation')::int, (r->>'attempt')::int,
            (r->>'attempts')::int, (r->>'failures')::int, (r->>'losses')::int, nullif(r->'limited', 'null'),
            (r->>'needs_settled')::int, (r->>'needs_completed')::int, (r->>'open_children')::int,
            (r->>'opened')::int, (r->>'planned')::int, (r->>'undo_settled')::int, (r->>'undo_open')::int,
            (r->>'undo_left')::int, (r->>'rerun')::int, (r->>'stopping')::boolean, (r->>'effect_unknown')::boolean,
            nullif(r->'input', 'null'), nullif(r->'input_from', 'null'), nullif(r->'undo_input', 'null'),
            nullif(r->'output', 'null'), nullif(r->'output_from', 'null'), nullif(r->'error', 'null'),
            nullif(r->'undo_error', 'null'),
            (r->>'due_at')::timestamptz, (r->>'settled')::bigint, (r->>'started_at')::timestamptz,
            (r->>'ended_at')::timestamptz, r->>'idempotency_key', (r->>'error_case')::smallint
        FROM jsonb_array_elements(p->'new') AS e(r);
    END IF;
    -- One look-up by key for each row: joined to the list, the planner reads every step of the instance instead, and a
    -- decision's cost would grow with the workflow's length. Most decisions change one to three rows.
    FOR r IN SELECT * FROM jsonb_array_elements(p->'changed') LOOP
        UPDATE workflows_app_step s SET
            state = coalesce(r->>'state', s.state),
            role = coalesce(r->>'role', s.role),
            generation = coalesce((r->>'generation')::int, s.generation),
            attempt = CASE WHEN r ? 'attempt' THEN (r->>'attempt')::int ELSE s.attempt END,
            attempts = coalesce((r->>'attempts')::int, s.attempts),
            failures = coalesce((r->>'failures')::int, s.failures),
            losses = coalesce((r->>'losses')::int, s.losses),
            limited = CASE WHEN r ? 'limited' THEN nullif(r->'limited', 'null') ELSE s.limited END,
            needs_settled = coalesce((r->>'needs_settled')::int, s.needs_settled),
            needs_completed = coalesce((r->>'needs_completed')::int, s.needs_completed),
            open_children = coalesce((r->>'open_children')::int, s.open_children),
            opened = coalesce((r->>'opened')::int, s.opened),
            planned = coalesce((r->>'planned')::int, s.planned),
            undo_settled = coalesce((r->>'undo_settled')::int, s.undo_settled),
            undo_open = coalesce((r->>'undo_open')::int, s.undo_open),
            undo_left = coalesce((r->>'undo_left')::int, s.undo_left),
            rerun = coalesce((r->>'rerun')::int, s.rerun),
            stopping = coalesce((r->>'stopping')::boolean, s.stopping),
            effect_unknown = coalesce((r->>'effect_unknown')::boolean, s.effect_unknown),
            input = CASE WHEN r ? 'input' THEN nullif(r->'input', 'null') ELSE s.input END,
            input_from = CASE WHEN r ? 'input' THEN nullif(r->'input_from', 'null') ELSE s.input_from END,
            undo_input = CASE WHEN r ? 'undo_input' THEN nullif(r->'undo_input', 'null') ELSE s.undo_input END,
            output = CASE WHEN r ? 'output' THEN nullif(r->'output', 'null') ELSE s.output END,
            output_from = CASE WHEN r ? 'output' THEN nullif(r->'output_from', 'null') ELSE s.output_from END,
            error = CASE WHEN r ? 'error' THEN nullif(r->'error', 'null') ELSE s.error END,
            undo_error = CASE WHEN r ? 'undo_error' THEN nullif(r->'undo_error', 'null') ELSE s.undo_error END,
            due_at = CASE WHEN r ? 'due_at' THEN (r->>'due_at')::timestamptz ELSE s.due_at END,
            settled = CASE WHEN r ? 'settled' THEN (r->>'settled')::bigint ELSE s.settled END,
            started_at = CASE WHEN r ? 'started_at' THEN (r->>'started_at')::timestamptz ELSE s.started_at END,
            ended_at = CASE WHEN r ? 'ended_at' THEN (r->>'ended_at')::timestamptz ELSE s.ended_at END,
            idempotency_key = CASE WHEN r ? 'idempotency_key' THEN r->>'idempotency_key' ELSE s.idempotency_key END,
            error_case = CASE WHEN r ? 'error_case' THEN (r->>'error_case')::smallint ELSE s.error_case END
        WHERE s.instance_id = p_instance AND s.path = r->>'path';
        IF r ? 'rerun' THEN
            -- Another run is other work: it does not go on where an attempt of the one before had come to.
            DELETE FROM workflows_app_checkpoint c WHERE c.instance_id = p_instance AND c.path = r->>'path';
        END IF;
    END LOOP;
    FOR r IN SELECT * FROM jsonb_array_elements(p->'ended') LOOP
        UPDATE workflows_app_attempt a SET state = r->>'state', error = nullif(r->'error', 'null'), ended_at = at
        WHERE a.instance_id = p_instance AND a.path = r->>'path' AND a.number = (r->>'number')::int;
    END LOOP;
    IF p ? 'told' THEN
        UPDATE workflows_app_attempt a SET stop_requested = true
        WHERE a.instance_id = p_instance AND a.state = 'running'
            AND a.path IN (SELECT jsonb_array_elements_text(p->'told'));
    END IF;
    IF p ? 'withdrawn' THEN
        DELETE FROM workflows_app_dispatch w
        WHERE w.instance_id = p_instance AND w.path IN (SELECT jsonb_array_elements_text(p->'withdrawn'));
    END IF;
    IF p ? 'cleared' THEN
        DELETE FROM workflows_app_timer t
        WHERE t.instance_id = p_instance AND t.path IN (SELECT jsonb_array_elements_text(p->'cleared'));
    END IF;
    IF p ? 'timers' THEN
        INSERT INTO workflows_app_timer (instance_id, path, kind, due_at)
        SELECT p_instance, r.path, r.kind, r.due_at
        FROM jsonb_to_recordset(p->'timers') AS r(path text, kind text, due_at timestamptz)
        ON CONFLICT ON CONSTRAINT timer_unique DO UPDATE SET due_at = excluded.due_at;
    END IF;
    IF p ? 'remembered' THEN PERFORM wf_remember(p_instance, p->'remembered', at); END IF;
    IF p ? 'children' THEN
        PERFORM wf_child(p_instance, c.value, at) FROM jsonb_array_elements(p->'children') c;
    END IF;
    IF p ? 'notices' THEN
        PERFORM wf_notice((n.value->>'child')::uuid, n.value->>'kind', n.value->'data', at)
        FROM jsonb_array_elements(p->'notices') n;
    END IF;
    IF jsonb_array_length(p->'dispatches') = 1 THEN
        r := p->'dispatches'->0;
        IF wf_dispatch(p_instance, r->>'path', (r->>'generation')::int, r->>'queue', (r->>'timeout')::float, at,
                wf_room(r->>'queue', p_window, p->'instance' ? 'started_at') > 0) THEN
            RETURN QUERY SELECT r->>'path', (r->>'generation')::int, r->>'queue', (r->>'timeout')::float;
        END IF;
    ELSIF p ? 'dispatches' THEN
        RETURN QUERY
        WITH wanted AS (
            SELECT r.*, row_number() OVER (PARTITION BY r.queue) AS place
            FROM jsonb_to_recordset(p->'dispatches') AS r(path text, generation int, queue text, timeout float)
        ), room AS MATERIALIZED (
            -- Counted once, not for each row.
            SELECT q.queue, wf_room(q.queue, p_window, p->'instance' ? 'started_at') AS places
            FROM (SELECT DISTINCT wanted.queue FROM wanted) q
        )
        INSERT INTO workflows_app_dispatch AS d
            (instance_id, path, generation, queue, timeout, created_at, published_at, publications)
        SELECT p_instance, w.path, w.generation, w.queue, w.timeout, at,
            CASE WHEN w.place <= room.places THEN at END, CASE WHEN w.place <= room.places THEN 1 ELSE 0 END
        FROM wanted w JOIN room ON room.queue = w.queue
        RETURNING CASE WHEN d.published_at IS NOT NULL THEN d.path::text END, d.generation, d.queue::text, d.timeout;
    END IF;
    IF p ? 'levels' THEN PERFORM wf_rank(p_instance, p->'levels', (p->>'head_start')::float); END IF;
END $$;

CREATE OR REPLACE FUNCTION wf_version(p_workflow text, p_version text) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT v.id FROM workflows_app_definitionversion v JOIN workflows_app_definition d ON d.id = v.definition_id
    WHERE d.name = p_workflow AND v.version = p_version
$$;

-- Record a decision: changed columns of the instance and its steps, ended attempts, timers, dispatches, events; all or
-- nothing. Takes and returns what wf_record_rest does.
CREATE OR REPLACE FUNCTION wf_record(p_instance uuid, p jsonb, p_window int)
RETURNS TABLE (path text, generation int, queue text, timeout float) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    i jsonb := coalesce(p->'instance', '{}');
    head bytea;
BEGIN
    SELECT x.head_hash INTO head FROM workflows_app_instance x WHERE x.id = p_instance FOR UPDATE;
    head := wf_append(p_instance, head, p->'events');
    UPDATE workflows_app_instance x SET
        state = coalesce(i->>'state', x.state),
        cause = CASE WHEN i ? 'cause' THEN i->>'cause' ELSE x.cause END,
        ending = CASE WHEN i ? 'ending' THEN i->>'ending' ELSE x.ending END,
        undo = coalesce((i->>'undo')::boolean, x.undo),
        variables = coalesce(i->'variables', x.variables),
        output = CASE WHEN i ? 'output' THEN nullif(i->'output', 'null') ELSE x.output END,
        error = CASE WHEN i ? 'error' THEN nullif(i->'error', 'null') ELSE x.error END,
        open_steps = coalesce((i->>'open_steps')::int, x.open_steps),
        undo_open = coalesce((i->>'undo_open')::int, x.undo_open),
        undone = coalesce((i->>'undone')::int, x.undone),
        undo_failed = coalesce((i->>'undo_failed')::int, x.undo_failed),
        held = coalesce(i->'held', x.held),
        rewind = CASE WHEN i ? 'rewind' THEN nullif(i->'rewind', 'null') ELSE x.rewind END,
        machine_state = coalesce(i->>'machine_state', x.machine_state),
        machine_since = coalesce((i->>'machine_since')::timestamptz, x.machine_since),
        machine_transition = CASE WHEN i ? 'machine_transition' THEN i->>'machine_transition' ELSE x.machine_transition END,
        machine_queue = coalesce(i->'machine_queue', x.machine_queue),
        tags = CASE WHEN i ? 'tags' THEN wf_tags(i) ELSE x.tags END,
        version = coalesce(i->>'version', x.version),
        definition_version_id = CASE WHEN i ? 'version' THEN wf_version(x.workflow, i->>'version')
            ELSE x.definition_version_id END,
        overrides = CASE WHEN i ? 'overrides' THEN nullif(i->'overrides', 'null') ELSE x.overrides END,
        sequence = coalesce((i->>'sequence')::bigint, x.sequence),
        started_at = coalesce((i->>'started_at')::timestamptz, x.started_at),
        ended_at = CASE WHEN i ? 'ended_at' THEN (i->>'ended_at')::timestamptz ELSE x.ended_at END,
        head_hash = head
    WHERE x.id = p_instance;
    RETURN QUERY SELECT * FROM wf_record_rest(p_instance, p, p_window);
END $$;
