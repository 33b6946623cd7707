-- Append to the audit trail. Entries are few, so one lock orders them and keeps the numbers without a gap.
CREATE OR REPLACE FUNCTION wf_audit_text(p_sequence bigint, p_at timestamptz, p_actor text, p_action text,
    p_target text, p_data jsonb) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_array(p_sequence, (extract(epoch FROM p_at) * 1000000)::bigint, p_actor, p_action, p_target,
        p_data)::text
$$;

CREATE OR REPLACE FUNCTION wf_audit(p_actor text, p_action text, p_target text, p_data jsonb) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    last record;
    at timestamptz;
    next bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('workflows_app.audit'));
    SELECT sequence, hash INTO last FROM workflows_app_auditentry ORDER BY sequence DESC LIMIT 1;
    next := coalesce(last.sequence, 0) + 1;
    at := wf_clock();
    INSERT INTO workflows_app_auditentry (sequence, at, actor, action, target, data, hash) VALUES (next, at, p_actor,
        p_action, p_target, p_data, wf_chain(coalesce(last.hash, ''::bytea),
            wf_audit_text(next, at, p_actor, p_action, p_target, p_data)));
    RETURN (next);
END $$;
