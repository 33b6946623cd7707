-- Load a slice: lock the instance, then read the steps that a decision is expected to touch. Values (input, output)
-- only of the steps named in p_values, the workflow's input only where asked: a decision's cost must not depend on
-- what it does not read.
CREATE OR REPLACE FUNCTION wf_slice(p_instance uuid, p_paths text[], p_values text[], p_whole boolean,
    p_input boolean) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    i jsonb;
    rows jsonb;
BEGIN
    SELECT jsonb_build_object('id', x.id, 'version_id', x.definition_version_id, 'workflow', x.workflow,
            'version', x.version, 'state', x.state, 'cause', x.cause, 'ending', x.ending, 'undo', x.undo,
            'variables', x.variables, 'output', x.output, 'error', x.error, 'open_steps', x.open_steps,
            'undo_order', x.undo_order, 'undo_next', x.undo_next, 'undo_failed', x.undo_failed,
            'sequence', x.sequence, 'correlation_id', x.correlation_id, 'started_by', x.started_by,
            'started_at', x.started_at, 'ended_at', x.ended_at)
            || CASE WHEN p_input THEN jsonb_build_object('input', x.input) ELSE '{}' END
        INTO i FROM workflows_app_instance x WHERE x.id = p_instance FOR UPDATE;
    IF NOT FOUND THEN RETURN NULL; END IF;
    SELECT coalesce(jsonb_agg(jsonb_build_object('path', s.path, 'state', s.state, 'role', s.role,
            'generation', s.generation, 'attempt', s.attempt, 'attempts', s.attempts, 'failures', s.failures,
            'losses', s.losses, 'needs_settled', s.needs_settled, 'needs_completed', s.needs_completed,
            'open_children', s.open_children, 'stopping', s.stopping, 'effect_unknown', s.effect_unknown,
            'error', s.error, 'undo_error', s.undo_error, 'due_at', s.due_at, 'settled', s.settled,
            'started_at', s.started_at, 'ended_at', s.ended_at)
            || CASE WHEN s.path = ANY (p_values)
                THEN jsonb_build_object('input', s.input, 'undo_input', s.undo_input, 'output', s.output) ELSE '{}' END), '[]')
        INTO rows FROM (
            SELECT w.* FROM workflows_app_step w WHERE p_whole AND w.instance_id = p_instance
            UNION ALL
            -- One look-up by key for each path, whatever the planner thinks of an instance's size.
            SELECT f.* FROM (SELECT DISTINCT unnest(p_paths) AS path WHERE NOT p_whole) n CROSS JOIN LATERAL (
                SELECT w.* FROM workflows_app_step w
                WHERE w.instance_id = p_instance AND w.path = n.path OFFSET 0) f
        ) s;
    RETURN jsonb_build_object('instance', i, 'steps', rows, 'now', wf_clock());
END $$;
