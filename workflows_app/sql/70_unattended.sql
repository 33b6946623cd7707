-- Steps of one instance that nothing would ever move again: must be none.
CREATE OR REPLACE FUNCTION wf_unattended(p_instance uuid) RETURNS TABLE (path text, state text, reason text)
LANGUAGE sql STABLE AS $$
    SELECT s.path::text, s.state::text, CASE
        WHEN i.ended_at IS NOT NULL THEN 'its instance has ended'
        WHEN s.state = 'scheduled' THEN 'no dispatch is waiting to be claimed'
        WHEN s.state = 'running' THEN 'no attempt is running'
        WHEN s.state = 'retrying' THEN 'no timer is set'
        WHEN s.state = 'waiting' THEN 'no timer is set and nothing inside it is open'
        ELSE 'it has no dispatch, no attempt and no timer'
    END
    FROM workflows_app_step s JOIN workflows_app_instance i ON i.id = s.instance_id
    WHERE s.instance_id = p_instance
        AND s.state IN ('scheduled', 'running', 'retrying', 'waiting', 'compensating')
        AND (i.ended_at IS NOT NULL OR NOT (
            (s.state IN ('scheduled', 'compensating') AND EXISTS (SELECT 1 FROM workflows_app_dispatch d
                WHERE d.instance_id = s.instance_id AND d.path = s.path AND d.generation = s.generation))
            OR (s.state IN ('running', 'compensating') AND EXISTS (SELECT 1 FROM workflows_app_attempt a
                WHERE a.instance_id = s.instance_id AND a.path = s.path AND a.number = s.attempt
                    AND a.state = 'running'))
            OR (s.state IN ('retrying', 'waiting', 'compensating') AND EXISTS (SELECT 1 FROM workflows_app_timer t
                WHERE t.instance_id = s.instance_id AND t.path = s.path AND t.kind IN ('retry', 'wait')))
            OR (s.state = 'waiting' AND s.open_children > 0)))
$$;
