-- The bare row of a new instance; false if its idempotency key is taken.
CREATE OR REPLACE FUNCTION wf_new_instance(p_id uuid, p_version_id bigint, p_workflow text, p_version text,
    p_correlation text, p_key text, p_actor text, p_input jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO workflows_app_instance (id, definition_version_id, workflow, version, state, undo, input, variables,
        open_steps, undo_order, undo_next, undo_failed, sequence, head_hash, correlation_id, idempotency_key,
        started_by, created_at)
    VALUES (p_id, p_version_id, p_workflow, p_version, 'pending', false, p_input, '{}', 0, '[]', 0, false, 0, '',
        p_correlation, p_key, p_actor, wf_clock())
    ON CONFLICT (workflow, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING;
    RETURN FOUND;
END $$;
