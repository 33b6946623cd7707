-- Plan an effect of a running attempt; null, and nothing is planned, where the attempt is over. Committed before anything
-- leaves, so that a stale process learns here that it must not act.
-- p_facts: what is known of it beforehand.
CREATE OR REPLACE FUNCTION wf_begin_effect(p_instance uuid, p_path text, p_number int, p_kind text, p_target text, p_key text,
    p_facts jsonb) RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO workflows_app_effect (instance_id, path, number, role, kind, target, idempotency_key, state, facts, planned_at)
    SELECT a.instance_id, a.path, a.number, a.role, p_kind, p_target, p_key, 'planned', p_facts, wf_clock()
        FROM workflows_app_attempt a
        WHERE a.instance_id = p_instance AND a.path = p_path AND a.number = p_number AND a.state = 'running' FOR SHARE
    RETURNING id
$$;

-- Record what came of an effect, also after its attempt was given up: that is news about the world, not about the step.
CREATE OR REPLACE FUNCTION wf_settle_effect(p_effect bigint, p_state text, p_facts jsonb) RETURNS void
LANGUAGE sql AS $$
    UPDATE workflows_app_effect e SET state = p_state, facts = p_facts, settled_at = wf_clock()
        WHERE e.id = p_effect AND e.state = 'planned'
$$;
