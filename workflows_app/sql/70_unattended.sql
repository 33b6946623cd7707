-- Steps of one instance that nothing would ever move again: must be none.
CREATE OR REPLACE FUNCTION wf_unattended(p_instance uuid) RETURNS TABLE (path text, state text, reason text)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT s.path::text, s.state::text, CASE
        WHEN i.ended_at IS NOT NULL THEN 'its instance has ended'
        WHEN s.state = 'scheduled' THEN 'no dispatch is waiting to be claimed'
        WHEN s.state = 'running' THEN 'no attempt is running'
        WHEN s.state = 'retrying' THEN 'no timer is set'
        WHEN s.state = 'waiting' THEN 'no timer is set, no event is awaited, and nothing inside it or called by it is under way'
        ELSE 'it has no dispatch, no attempt and no timer'
    END
    FROM workflows_app_step s JOIN workflows_app_instance i ON i.id = s.instance_id
    WHERE s.instance_id = p_instance
        AND s.state IN ('scheduled', 'running', 'retrying', 'waiting', 'compensating')
        AND (i.ended_at IS NOT NULL OR NOT (
            -- While the instance is paused only attempts under way move anything; the resume takes up the rest.
            (i.state = 'paused' AND s.attempt IS NULL)
            OR (s.state IN ('scheduled', 'compensating') AND EXISTS (SELECT 1 FROM workflows_app_dispatch d
                WHERE d.instance_id = s.instance_id AND d.path = s.path AND d.generation = s.generation))
            OR (s.state IN ('running', 'compensating') AND EXISTS (SELECT 1 FROM workflows_app_attempt a
                WHERE a.instance_id = s.instance_id AND a.path = s.path AND a.number = s.attempt
                    AND a.state = 'running'))
            OR (s.state IN ('retrying', 'waiting', 'compensating') AND EXISTS (SELECT 1 FROM workflows_app_timer t
                WHERE t.instance_id = s.instance_id AND t.path = s.path AND t.kind IN ('retry', 'wait', 'repeat')))
            OR (s.state = 'waiting' AND (s.open_children > 0 OR wf_awaits(s.instance_id, s.path)))
            -- An ad-hoc section waits for people.
            OR (s.state = 'waiting' AND NOT s.stopping AND EXISTS (SELECT 1 FROM workflows_app_definitionversion v
                WHERE v.id = i.definition_version_id
                    AND jsonb_path_exists(v.document::jsonb, '$.** ? (@.id == $id && exists(@.adhoc))',
                    jsonb_build_object('id', regexp_replace(s.path, '^.*\]\.', '')))))
            -- A state machine waits for events, unless one has its turn; its state's time-out needs a timer.
            OR (s.state = 'waiting' AND s.path = 'machine' AND i.machine_state IS NOT NULL
                AND (i.machine_transition IS NOT NULL
                    OR (coalesce(jsonb_array_length(i.machine_queue), 0) = 0
                        AND (s.due_at IS NULL OR EXISTS (SELECT 1 FROM workflows_app_timer t
                            WHERE t.instance_id = s.instance_id AND t.path = s.path AND t.kind = 'state')))))
            -- A move waits for the undo that comes before it.
            OR (s.state = 'waiting' AND s.path LIKE '%.move' AND EXISTS (SELECT 1 FROM workflows_app_step u
                WHERE u.instance_id = s.instance_id AND u.state = 'compensating'))
            -- What it called goes on, or has told it of its end, or is about to be told something.
            OR (s.state IN ('waiting', 'compensating') AND EXISTS (SELECT 1 FROM workflows_app_instance c
                WHERE c.parent_id = s.instance_id AND c.parent_path = s.path AND c.awaited
                    AND (c.ended_at IS NULL OR EXISTS (SELECT 1 FROM workflows_app_notice n WHERE n.child = c.id))))))
    UNION ALL
    SELECT '', i.state::text, 'it waits for no slot and nothing is about to start it' FROM workflows_app_instance i
    WHERE i.id = p_instance AND i.state = 'pending'
        AND NOT EXISTS (SELECT 1 FROM workflows_app_notice n WHERE n.child = i.id)
        AND NOT EXISTS (SELECT 1 FROM workflows_app_slot o WHERE o.instance_id = i.id)
        AND NOT EXISTS (SELECT 1 FROM workflows_app_timer t WHERE t.instance_id = i.id AND t.kind = 'start')
    UNION ALL
    SELECT '', i.state::text, 'nothing of its undo is under way' FROM workflows_app_instance i
    WHERE i.id = p_instance AND i.state = 'compensating'
        AND NOT EXISTS (SELECT 1 FROM workflows_app_step s
            WHERE s.instance_id = i.id AND s.state = 'compensating')
        AND NOT EXISTS (SELECT 1 FROM workflows_app_timer t WHERE t.instance_id = i.id AND t.kind = 'repeat');
END $$;
