-- Renew the lease that a process holds and keep how far its attempt is; no row comes back for an attempt that was ended
-- by somebody else. p_progress: {done, total, message}, null where nothing was reported since the last time.
CREATE OR REPLACE FUNCTION wf_renew_lease(p_instance uuid, p_path text, p_number int, p_lease float, p_progress jsonb)
RETURNS TABLE (stop_requested boolean) LANGUAGE sql AS $$
    UPDATE workflows_app_attempt a SET lease_expires_at = wf_clock() + make_interval(secs => p_lease),
        progress = coalesce(p_progress, a.progress),
        progress_at = CASE WHEN p_progress IS NULL THEN a.progress_at ELSE wf_clock() END
    WHERE a.instance_id = p_instance AND a.path = p_path AND a.number = p_number AND a.state = 'running'
    RETURNING a.stop_requested
$$;

-- Keep a checkpoint for the next attempt; false, and nothing changes, where the attempt is not running any more. The
-- attempt's row is locked meanwhile: a sweep that ends it waits, and a later attempt's value is never replaced.
CREATE OR REPLACE FUNCTION wf_save_checkpoint(p_instance uuid, p_path text, p_number int, p_data jsonb)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    acting text;
BEGIN
    SELECT a.role INTO acting FROM workflows_app_attempt a
        WHERE a.instance_id = p_instance AND a.path = p_path AND a.number = p_number AND a.state = 'running' FOR SHARE;
    IF NOT FOUND THEN RETURN false; END IF;
    INSERT INTO workflows_app_checkpoint (instance_id, path, role, attempt, data, saved_at)
        VALUES (p_instance, p_path, acting, p_number, p_data, wf_clock())
        ON CONFLICT (instance_id, path, role) DO UPDATE
            SET attempt = excluded.attempt, data = excluded.data, saved_at = excluded.saved_at;
    RETURN true;
END $$;
