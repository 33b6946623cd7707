-- How many attempts of a step had ended without success when this one began.
CREATE OR REPLACE FUNCTION wf_retries(p_instance uuid, p_path text, p_number int, p_role text) RETURNS int
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT count(*) FROM workflows_app_attempt a WHERE a.instance_id = p_instance AND a.path = p_path
        AND a.number < p_number AND a.role = p_role AND a.state IN ('failed', 'timed_out', 'lost'));
END $$;

-- Plan an effect of a running attempt; null, and nothing is planned, where the attempt is over. Committed before anything
-- leaves, so that a stale process learns here that it must not act.
-- p_facts: what is known of it beforehand. p_maximum: how many attempts there may be. p_parameters: what goes out, as far
-- as it is kept; p_bytes: its size.
CREATE OR REPLACE FUNCTION wf_plan_effect(p_instance uuid, p_path text, p_number int, p_kind text, p_target text, p_key text,
    p_facts jsonb, p_maximum int, p_parameters jsonb, p_bytes int) RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO workflows_app_effect (instance_id, path, number, role, kind, target, idempotency_key, state, facts, planned_at,
        retries, maximum, parameters, parameters_bytes)
    SELECT a.instance_id, a.path, a.number, a.role, p_kind, p_target, p_key, 'planned', p_facts, wf_clock(),
        wf_retries(a.instance_id, a.path, a.number, a.role), p_maximum, p_parameters, p_bytes
        FROM workflows_app_attempt a
        WHERE a.instance_id = p_instance AND a.path = p_path AND a.number = p_number AND a.state = 'running' FOR SHARE
    RETURNING id
$$;

-- Record what came of an effect, also after its attempt was given up: that is news about the world, not about the step.
CREATE OR REPLACE FUNCTION wf_conclude_effect(p_effect bigint, p_state text, p_facts jsonb, p_result jsonb, p_bytes int,
    p_error jsonb) RETURNS void LANGUAGE sql AS $$
    UPDATE workflows_app_effect e SET state = p_state, facts = p_facts, settled_at = wf_clock(), result = p_result,
            result_bytes = p_bytes, error = p_error
        WHERE e.id = p_effect AND e.state = 'planned'
$$;

-- Record a query that is over, whatever became of its attempt. p_seconds: how long it took.
CREATE OR REPLACE FUNCTION wf_record_query(p_instance uuid, p_path text, p_number int, p_kind text, p_target text,
    p_facts jsonb, p_maximum int, p_parameters jsonb, p_parameters_bytes int, p_state text, p_result jsonb, p_result_bytes int,
    p_error jsonb, p_seconds float) RETURNS void LANGUAGE sql AS $$
    INSERT INTO workflows_app_effect (instance_id, path, number, role, kind, target, idempotency_key, state, facts, planned_at,
        settled_at, is_query, retries, maximum, parameters, parameters_bytes, result, result_bytes, error)
    SELECT a.instance_id, a.path, a.number, a.role, p_kind, p_target, '', p_state, p_facts,
        wf_clock() - make_interval(secs => p_seconds), wf_clock(), true, wf_retries(a.instance_id, a.path, a.number, a.role),
        p_maximum, p_parameters, p_parameters_bytes, p_result, p_result_bytes, p_error
        FROM workflows_app_attempt a
        WHERE a.instance_id = p_instance AND a.path = p_path AND a.number = p_number FOR KEY SHARE
$$;
