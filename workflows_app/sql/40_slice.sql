-- Load a slice: lock the instance, then read the steps that a decision is expected to touch. Values (input, output)
-- only of the steps named in p_values, the workflow's input only where asked: a decision's cost must not depend on
-- what it does not read.
--
-- p_whole: all rows as well, but for those that settled inside an iteration that has settled; p_complete: these too.
CREATE OR REPLACE FUNCTION wf_slice(p_instance uuid, p_paths text[], p_values text[], p_whole boolean,
    p_complete boolean, p_input boolean) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    i jsonb;
    rows jsonb;
BEGIN
    SELECT jsonb_build_object('id', x.id, 'version_id', x.definition_version_id, 'workflow', x.workflow,
            'version', x.version, 'state', x.state, 'cause', x.cause, 'ending', x.ending, 'undo', x.undo,
            'variables', x.variables, 'output', x.output, 'error', x.error, 'open_steps', x.open_steps,
            'undo_open', x.undo_open, 'undone', x.undone, 'undo_failed', x.undo_failed,
            'held', coalesce(x.held, '[]'), 'rewind', x.rewind,
            'machine_state', x.machine_state, 'machine_since', x.machine_since,
            'machine_transition', x.machine_transition, 'machine_queue', coalesce(x.machine_queue, '[]'),
            'sequence', x.sequence, 'correlation_id', x.correlation_id, 'started_by', x.started_by,
            'tags', coalesce(to_jsonb(x.tags), '[]'), 'overrides', x.overrides,
            'started_at', x.started_at, 'ended_at', x.ended_at,
            'parent', CASE WHEN x.parent_id IS NOT NULL THEN wf_parent(x.parent_id, x.parent_path, x.depth, x.awaited) END)
            || CASE WHEN p_input THEN jsonb_build_object('input', x.input) ELSE '{}' END
        INTO i FROM workflows_app_instance x WHERE x.id = p_instance FOR UPDATE;
    IF NOT FOUND THEN RETURN NULL; END IF;
    SELECT coalesce(jsonb_agg(jsonb_build_object('path', s.path, 'state', s.state, 'role', s.role,
            'generation', s.generation, 'attempt', s.attempt, 'attempts', s.attempts, 'failures', s.failures,
            'losses', s.losses, 'limited', s.limited, 'needs_settled', s.needs_settled, 'needs_completed', s.needs_completed,
            'open_children', s.open_children, 'opened', s.opened, 'planned', s.planned,
            'undo_settled', s.undo_settled, 'undo_open', s.undo_open, 'undo_left', s.undo_left,
            'rerun', s.rerun, 'stopping', s.stopping, 'effect_unknown', s.effect_unknown,
            'error', s.error, 'undo_error', s.undo_error, 'due_at', s.due_at, 'settled', s.settled,
            'started_at', s.started_at, 'ended_at', s.ended_at, 'idempotency_key', s.idempotency_key,
            'error_case', s.error_case, 'input_from', s.input_from, 'output_from', s.output_from)
            || CASE WHEN s.path = ANY (p_values)
                THEN jsonb_build_object('input', wf_kept(p_instance, s.input, s.input_from), 'undo_input', s.undo_input,
                    'output', wf_kept(p_instance, s.output, s.output_from)) ELSE '{}' END), '[]')
        INTO rows FROM (
            SELECT w.* FROM workflows_app_step w WHERE p_whole AND w.instance_id = p_instance
                AND w.path <> ALL (p_paths) AND (p_complete OR wf_in_flight(w))
            UNION ALL
            -- One look-up by key for each path, whatever the planner thinks of an instance's size.
            SELECT f.* FROM (SELECT DISTINCT unnest(p_paths) AS path) n CROSS JOIN LATERAL (
                SELECT w.* FROM workflows_app_step w
                WHERE w.instance_id = p_instance AND w.path = n.path OFFSET 0) f
        ) s;
    RETURN jsonb_build_object('instance', i, 'steps', rows, 'now', wf_clock());
END $$;

-- Whether a step is outside of iterations, or open, or being undone, or in an iteration that is open. What settled in
-- one that has settled is looked at no more, but by an undo, in portions: a stop must not read what thousands of items
-- have left behind.
CREATE OR REPLACE FUNCTION wf_in_flight(s workflows_app_step) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT strpos(s.path, ']') = 0 OR s.state IN ('pending', 'scheduled', 'running', 'waiting', 'retrying', 'compensating')
        OR s.undo_left > 0 OR NOT EXISTS (SELECT 1 FROM workflows_app_step i WHERE i.instance_id = s.instance_id
            AND i.path = substring(s.path FROM '^.*\]') AND i.settled IS NOT NULL)
$$;

-- Up to p_number items of a foreach, from index p_first on: the whole list would be read again for every portion.
CREATE OR REPLACE FUNCTION wf_items(p_instance uuid, p_path text, p_first int, p_number int) RETURNS jsonb
LANGUAGE sql STABLE AS $$
    SELECT jsonb_path_query_array(s.input, '$.items[$first to $last]',
        jsonb_build_object('first', p_first, 'last', p_first + p_number - 1))
    FROM workflows_app_step s WHERE s.instance_id = p_instance AND s.path = p_path
$$;

-- What the iterations of a foreach came to: [index, output, code and message of the error] for each that has settled.
CREATE OR REPLACE FUNCTION wf_gathered(p_instance uuid, p_path text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_array(n.index, s.output, s.error) ORDER BY n.index), '[]')
    FROM (SELECT generate_series(0, b.opened - 1) AS index FROM workflows_app_step b
        WHERE b.instance_id = p_instance AND b.path = p_path) n
    CROSS JOIN LATERAL (SELECT wf_kept(p_instance, i.output, i.output_from) AS output,
            CASE WHEN i.error IS NOT NULL THEN jsonb_build_object('code', i.error->'code', 'message', i.error->'message') END
                AS error
        FROM workflows_app_step i WHERE i.instance_id = p_instance AND i.path = p_path || '[' || n.index || ']'
            AND i.settled IS NOT NULL OFFSET 0) s
$$;

-- The next p_number steps inside iterations after p_last, by path: [path, state, role, failed, effect unknown].
CREATE OR REPLACE FUNCTION wf_settled_inside(p_instance uuid, p_last text, p_number int) RETURNS jsonb
LANGUAGE sql STABLE AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_array(s.path, s.state, s.role, s.error IS NOT NULL, s.effect_unknown)
        ORDER BY s.path), '[]')
    FROM (SELECT w.* FROM workflows_app_step w WHERE w.instance_id = p_instance AND w.path > p_last
            AND strpos(w.path, ']') > 0 AND w.settled IS NOT NULL ORDER BY w.path LIMIT p_number) s
$$;
