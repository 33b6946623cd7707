-- What an expression may read of an instance before anything new is decided: its input, its names, and steps that have
-- settled. None of it changes any more while the instance runs, so nothing is locked.
CREATE OR REPLACE FUNCTION wf_values(p_instance uuid, p_paths text[], p_input boolean) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT jsonb_build_object('started_at', x.started_at, 'started_by', x.started_by, 'correlation_id', x.correlation_id,
        'steps', (SELECT coalesce(jsonb_object_agg(f.path, jsonb_build_object('state', f.state,
            'output', wf_kept(p_instance, f.output, f.output_from),
            'error', f.error, 'attempts', f.attempts,
            'failures', coalesce(f.error #> '{details,failures}', '[]'))), '{}')
            FROM (SELECT DISTINCT unnest(p_paths) AS path) n CROSS JOIN LATERAL (
                SELECT s.* FROM workflows_app_step s
                WHERE s.instance_id = p_instance AND s.path = n.path OFFSET 0) f))
        || CASE WHEN p_input THEN jsonb_build_object('input', x.input) ELSE '{}' END
    FROM workflows_app_instance x WHERE x.id = p_instance);
END $$;
