-- Cached results: what is fresh of the entries (activity, key) that a decision asks for.
CREATE OR REPLACE FUNCTION wf_cached(p_activities text[], p_keys text[]) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object('activity', c.activity, 'key', c.key, 'output', c.output,
            'instance', c.instance_id, 'step', c.path)), '[]')
        FROM (SELECT DISTINCT * FROM unnest(p_activities, p_keys) AS u(activity, key)) w
        JOIN workflows_app_cachedresult c ON c.activity = w.activity AND c.key = w.key
        WHERE c.expires_at > wf_clock());
END $$;

-- Keep the outputs of steps that completed in this transaction. p_entries: [{path, activity, key, seconds}].
CREATE OR REPLACE FUNCTION wf_remember(p_instance uuid, p_entries jsonb, p_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO workflows_app_cachedresult (activity, key, output, instance_id, path, expires_at)
    SELECT e.activity, e.key, wf_kept(p_instance, s.output, s.output_from), p_instance, e.path, p_at + make_interval(secs => e.seconds)
    FROM jsonb_to_recordset(p_entries) AS e(path text, activity text, key text, seconds float)
    JOIN workflows_app_step s ON s.instance_id = p_instance AND s.path = e.path
    ORDER BY e.activity, e.key
    ON CONFLICT ON CONSTRAINT cached_result_unique DO UPDATE SET output = excluded.output,
        instance_id = excluded.instance_id, path = excluded.path, expires_at = excluded.expires_at;
END $$;

-- Keep one value that is no step's result.
CREATE OR REPLACE FUNCTION wf_keep(p_activity text, p_key text, p_output jsonb, p_instance uuid, p_path text, p_seconds float)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO workflows_app_cachedresult (activity, key, output, instance_id, path, expires_at)
        VALUES (p_activity, p_key, nullif(p_output, 'null'), p_instance, p_path, wf_clock() + make_interval(secs => p_seconds))
    ON CONFLICT ON CONSTRAINT cached_result_unique DO UPDATE SET output = excluded.output,
        instance_id = excluded.instance_id, path = excluded.path, expires_at = excluded.expires_at;
END $$;

-- Remove what has expired, a batch at a time.
CREATE OR REPLACE FUNCTION wf_forget(p_limit int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    n int;
BEGIN
    DELETE FROM workflows_app_cachedresult c WHERE c.id IN (SELECT x.id FROM workflows_app_cachedresult x
        WHERE x.expires_at <= wf_clock() ORDER BY x.expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END $$;
