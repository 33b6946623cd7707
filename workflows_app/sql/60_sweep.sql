-- What the sweeper looks for. Each question is answered from a small index over work in flight, never over history.

-- Attempts whose time is up or whose lease has expired.
CREATE OR REPLACE FUNCTION wf_overdue(p_limit int) RETURNS TABLE (instance_id uuid, path text, number int)
LANGUAGE sql STABLE AS $$
    SELECT a.instance_id, a.path::text, a.number FROM workflows_app_attempt a
    WHERE a.state = 'running' AND least(a.lease_expires_at, a.timeout_at) <= wf_clock()
    ORDER BY least(a.lease_expires_at, a.timeout_at) LIMIT p_limit
$$;

-- Publish what was held back, as far as each queue's window has room, by rank, the oldest first.
CREATE OR REPLACE FUNCTION wf_refill(p_window int)
RETURNS TABLE (instance_id uuid, path text, generation int, queue text, timeout float) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH held AS (
        SELECT DISTINCT d.queue FROM workflows_app_dispatch d WHERE d.published_at IS NULL
    ), room AS (
        SELECT h.queue, p_window - (SELECT count(*) FROM (SELECT 1 FROM workflows_app_dispatch d
            WHERE d.queue = h.queue AND d.published_at IS NOT NULL LIMIT p_window) x) AS places FROM held h
    ), chosen AS (
        SELECT c.id FROM room CROSS JOIN LATERAL (
            SELECT d.id FROM workflows_app_dispatch d WHERE d.queue = room.queue AND d.published_at IS NULL
                AND (NOT EXISTS (SELECT 1 FROM workflows_app_hold) OR NOT wf_is_held(d.instance_id, d.queue))
            ORDER BY coalesce(d.rank, d.created_at), d.id LIMIT greatest(room.places, 0) FOR UPDATE SKIP LOCKED) c
    )
    UPDATE workflows_app_dispatch d SET published_at = wf_clock(), publications = d.publications + 1
    FROM chosen WHERE d.id = chosen.id
    RETURNING d.instance_id, d.path::text, d.generation, d.queue::text, d.timeout;
END $$;

-- Queues with a message that nobody claimed for p_seconds: candidates for sending again.
CREATE OR REPLACE FUNCTION wf_quiet_queues(p_seconds float) RETURNS TABLE (queue text) LANGUAGE sql STABLE AS $$
    SELECT q.queue::text FROM (SELECT d.queue, min(d.published_at) AS oldest FROM workflows_app_dispatch d
        WHERE d.published_at IS NOT NULL GROUP BY d.queue) q
    WHERE q.oldest <= wf_clock() - make_interval(secs => p_seconds)
$$;

-- Send again what is unclaimed although a later message of its queue was claimed, or although the broker's queue is
-- empty (p_empty names those); each time after twice as long, at most a minute.
CREATE OR REPLACE FUNCTION wf_resend(p_seconds float, p_empty text[], p_limit int)
RETURNS TABLE (instance_id uuid, path text, generation int, queue text, timeout float) LANGUAGE sql AS $$
    WITH chosen AS (
        SELECT d.id FROM workflows_app_dispatch d LEFT JOIN workflows_app_queue q ON q.name = d.queue
        WHERE d.published_at <= wf_clock()
                - make_interval(secs => least(p_seconds * power(2, least(d.publications, 10) - 1), 60))
            AND (d.queue = ANY (p_empty) OR q.claimed_through > d.published_at)
        ORDER BY d.id LIMIT p_limit FOR UPDATE OF d SKIP LOCKED
    )
    UPDATE workflows_app_dispatch d SET published_at = wf_clock(), publications = d.publications + 1
    FROM chosen WHERE d.id = chosen.id
    RETURNING d.instance_id, d.path::text, d.generation, d.queue::text, d.timeout
$$;
