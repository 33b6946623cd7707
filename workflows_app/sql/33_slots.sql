-- Slots: which instances of a workflow with `concurrency` run. Whoever changes the slots of a key holds its row in
-- slotkey, after the instance's own row if it has that: always in this order, so that nobody waits in a circle.

-- Grant what is free to the longest waiting, as far as its version's limit allows; nobody overtakes. The key's row is
-- locked; it goes with its last slot.
CREATE OR REPLACE FUNCTION wf_slot_grant(p_workflow text, p_key text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first record;
    n int;
BEGIN
    SELECT k.held INTO n FROM workflows_app_slotkey k WHERE k.workflow = p_workflow AND k.key = p_key;
    LOOP
        SELECT s.id, s.places INTO first FROM workflows_app_slot s
            WHERE s.workflow = p_workflow AND s.key = p_key AND s.state = 'waiting' ORDER BY s.id LIMIT 1;
        EXIT WHEN NOT FOUND OR n >= first.places;
        UPDATE workflows_app_slot s SET state = 'granted', due_at = wf_clock() WHERE s.id = first.id;
        n := n + 1;
    END LOOP;
    IF n = 0 THEN
        DELETE FROM workflows_app_slotkey k WHERE k.workflow = p_workflow AND k.key = p_key;
    ELSE
        UPDATE workflows_app_slotkey k SET held = n WHERE k.workflow = p_workflow AND k.key = p_key;
    END IF;
END $$;

-- A new instance queues up; returns whether it got a slot at once. The instance's row is written in the same
-- transaction, after this.
CREATE OR REPLACE FUNCTION wf_slot_queue(p_instance uuid, p_workflow text, p_key text, p_places int) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO workflows_app_slotkey AS k (workflow, key, held) VALUES (p_workflow, p_key, 0)
        ON CONFLICT ON CONSTRAINT slot_key_unique DO UPDATE SET held = k.held;
    INSERT INTO workflows_app_slot (instance_id, workflow, key, places, state)
        VALUES (p_instance, p_workflow, p_key, p_places, 'waiting');
    PERFORM wf_slot_grant(p_workflow, p_key);
    UPDATE workflows_app_slot s SET state = 'taken', due_at = NULL
        WHERE s.instance_id = p_instance AND s.state = 'granted';
    RETURN FOUND;
END $$;

-- Instances that got a slot and have not been started with it; of one workflow, or of all.
CREATE OR REPLACE FUNCTION wf_slot_granted(p_workflow text, p_limit int) RETURNS TABLE (instance_id uuid)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY SELECT s.instance_id FROM workflows_app_slot s
        WHERE s.state = 'granted' AND s.due_at <= wf_clock() AND (p_workflow IS NULL OR s.workflow = p_workflow)
        ORDER BY s.due_at, s.id LIMIT p_limit;
END $$;

-- Lock a pending instance and take the slot that was granted to it. False if it has none, or if another session holds
-- the instance: that one starts it, or ends it.
CREATE OR REPLACE FUNCTION wf_slot_take(p_instance uuid) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM workflows_app_instance x WHERE x.id = p_instance AND x.state = 'pending' FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN RETURN false; END IF;
    UPDATE workflows_app_slot s SET state = 'taken', due_at = NULL
        WHERE s.instance_id = p_instance AND s.state = 'granted';
    RETURN FOUND;
END $$;

-- Leave a granted instance alone for a while: something unexpected keeps it from starting.
CREATE OR REPLACE FUNCTION wf_slot_park(p_instance uuid, p_seconds float) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE workflows_app_slot s SET due_at = wf_clock() + make_interval(secs => p_seconds)
        WHERE s.instance_id = p_instance AND s.state = 'granted';
END $$;

-- An instance has ended: its slot goes to the next in the same transaction, whatever the ending and whoever wrote it.
CREATE OR REPLACE FUNCTION wf_slot_release() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    mine record;
    was text;
BEGIN
    SELECT s.workflow, s.key INTO mine FROM workflows_app_slot s WHERE s.instance_id = NEW.id;
    IF NOT FOUND THEN RETURN NULL; END IF;
    PERFORM 1 FROM workflows_app_slotkey k WHERE k.workflow = mine.workflow AND k.key = mine.key FOR UPDATE;
    DELETE FROM workflows_app_slot s WHERE s.instance_id = NEW.id RETURNING s.state INTO was;
    IF was <> 'waiting' THEN
        UPDATE workflows_app_slotkey k SET held = k.held - 1 WHERE k.workflow = mine.workflow AND k.key = mine.key;
    END IF;
    PERFORM wf_slot_grant(mine.workflow, mine.key);
    RETURN NULL;
END $$;

-- An instance that had ended is undone: it holds a slot again, at once, also one more than the limit allows. An undo never
-- waits (those before it in the row may wait for what it undoes); who waits does until it is below the limit again.
CREATE OR REPLACE FUNCTION wf_slot_resume() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO workflows_app_slotkey AS k (workflow, key, held) VALUES (NEW.workflow, NEW.concurrency_key, 1)
        ON CONFLICT ON CONSTRAINT slot_key_unique DO UPDATE SET held = k.held + 1;
    INSERT INTO workflows_app_slot (instance_id, workflow, key, places, state)
        SELECT NEW.id, NEW.workflow, NEW.concurrency_key, (v.document::jsonb->'concurrency'->>'limit')::int, 'taken'
        FROM workflows_app_definitionversion v WHERE v.id = NEW.definition_version_id;
    RETURN NULL;
END $$;

-- The conditions keep all of them from being called for instances without a limit.
CREATE OR REPLACE TRIGGER instance_slot_release AFTER UPDATE OF state ON workflows_app_instance
    FOR EACH ROW WHEN (NEW.concurrency_key IS NOT NULL AND OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL)
    EXECUTE FUNCTION wf_slot_release();
CREATE OR REPLACE TRIGGER instance_slot_unused AFTER INSERT ON workflows_app_instance
    FOR EACH ROW WHEN (NEW.concurrency_key IS NOT NULL AND NEW.ended_at IS NOT NULL)
    EXECUTE FUNCTION wf_slot_release();
CREATE OR REPLACE TRIGGER instance_slot_resume AFTER UPDATE OF state ON workflows_app_instance
    FOR EACH ROW WHEN (NEW.concurrency_key IS NOT NULL AND OLD.ended_at IS NOT NULL AND NEW.ended_at IS NULL)
    EXECUTE FUNCTION wf_slot_resume();
