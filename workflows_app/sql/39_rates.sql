-- How often something may happen, over all processes: one row for each limit, whatever the traffic (the generic cell rate
-- algorithm, ITU-T I.371). free_at is when all that was let through so far will have had its share of the time.
-- p_seconds: how long each one's share is; p_burst: how many may come at once.
-- Returns 0 and counts this one, or after how many seconds the next may come; then nothing is written.
CREATE OR REPLACE FUNCTION wf_rate(p_name text, p_seconds float, p_burst int) RETURNS float LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    at timestamptz := wf_clock();
    room interval := make_interval(secs => p_seconds * (p_burst - 1));
    until timestamptz;
BEGIN
    INSERT INTO workflows_app_rate AS r (name, free_at) VALUES (p_name, at + make_interval(secs => p_seconds))
        ON CONFLICT (name) DO UPDATE SET free_at = greatest(r.free_at, at) + make_interval(secs => p_seconds)
        WHERE r.free_at <= at + room
        RETURNING r.free_at INTO until;
    IF FOUND THEN
        RETURN 0;
    END IF;
    SELECT r.free_at INTO until FROM workflows_app_rate r WHERE r.name = p_name;
    RETURN coalesce(greatest(0.001, extract(epoch FROM until - at - room)), 0.001);
END $$;
