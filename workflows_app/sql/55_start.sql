-- The version that a start takes: the one named, or the highest that is neither deprecated nor a prerelease.
CREATE OR REPLACE FUNCTION wf_startable(p_workflow text, p_version text)
RETURNS TABLE (id bigint, version text, now timestamptz) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT v.id, v.version::text, wf_clock()
    FROM workflows_app_definitionversion v JOIN workflows_app_definition d ON d.id = v.definition_id
    WHERE d.name = p_workflow
        AND CASE WHEN p_version IS NULL THEN NOT v.deprecated AND v.prerelease = '' ELSE v.version = p_version END
    ORDER BY v.major DESC, v.minor DESC, v.patch DESC LIMIT 1;
END $$;

-- A new instance with all that its first decision leads to. Returns the dispatches that may be published once this is
-- committed, [[path, generation, queue, timeout], ...], or null if the idempotency key is taken: nothing is stored then.
CREATE OR REPLACE FUNCTION wf_start(p_id uuid, p_version_id bigint, p_workflow text, p_version text,
    p_correlation text, p_key text, p_actor text, p_input jsonb, p_decision jsonb, p_window int) RETURNS jsonb
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO workflows_app_instance (id, definition_version_id, workflow, version, state, undo, input, variables,
        open_steps, undo_order, undo_next, undo_failed, sequence, head_hash, correlation_id, idempotency_key,
        started_by, created_at)
    VALUES (p_id, p_version_id, p_workflow, p_version, 'pending', false, p_input, '{}', 0, '[]', 0, false, 0, '',
        p_correlation, p_key, p_actor, (p_decision->>'at')::timestamptz)
    ON CONFLICT (workflow, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING;
    IF NOT FOUND THEN RETURN NULL; END IF;
    RETURN (SELECT coalesce(jsonb_agg(jsonb_build_array(r.path, r.generation, r.queue, r.timeout)), '[]')
        FROM wf_record(p_id, p_decision, p_window) r WHERE r.path IS NOT NULL);
END $$;
