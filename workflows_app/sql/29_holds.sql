-- Holds: what no worker begins a step of. The table is empty but while an operator holds something.

-- Whether the steps of an instance on a queue are held.
CREATE OR REPLACE FUNCTION wf_is_held(p_instance uuid, p_queue text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT 1 FROM workflows_app_hold h WHERE h.kind = 'all' OR (h.kind = 'queue' AND h.name = p_queue)
        OR (h.kind = 'definition' AND h.name = (SELECT x.workflow FROM workflows_app_instance x WHERE x.id = p_instance)));
END $$;

-- Hold back what is under way to the workers; a claim would find out by itself, but each message would be sent in vain.
CREATE OR REPLACE FUNCTION wf_hold_back() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE workflows_app_dispatch d SET published_at = NULL WHERE d.id IN (SELECT w.id FROM workflows_app_dispatch w
        WHERE w.published_at IS NOT NULL AND wf_is_held(w.instance_id, w.queue) ORDER BY w.id FOR UPDATE SKIP LOCKED);
END $$;
