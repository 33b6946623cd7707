-- Purging: whole finished instances, with all that they called, and with a checkpoint on the audit trail.

-- An instance and all that its steps called, and what those called.
CREATE OR REPLACE FUNCTION wf_family(p_root uuid) RETURNS SETOF uuid LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY WITH RECURSIVE family AS (
        SELECT p_root AS id
        UNION ALL
        SELECT c.id FROM family f JOIN workflows_app_instance c ON c.parent_id = f.id
    ) SELECT f.id FROM family f;
END $$;

-- Why an instance cannot be purged with all that it called, empty where it can: the first reason found. p_before is
-- infinity where it is deleted by name: then also if what it had done could not be undone.
CREATE OR REPLACE FUNCTION wf_unpurgeable(p_root uuid, p_before timestamptz) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    r record;
BEGIN
    FOR r IN SELECT x.id, x.state, x.ended_at, x.parent_id FROM wf_family(p_root) AS f(id)
            JOIN workflows_app_instance x ON x.id = f.id ORDER BY x.depth, x.id LOOP
        IF r.id = p_root AND r.parent_id IS NOT NULL THEN
            RETURN r.parent_id || ' called it: the two are deleted together';
        ELSIF r.ended_at IS NULL THEN
            RETURN CASE WHEN r.id = p_root THEN 'it' ELSE r.id || ', which it called,' END || ' is ' || r.state;
        ELSIF r.state = 'compensation_failed' AND p_before < 'infinity' AND EXISTS (
                -- An undo that an operator gave up waits for nobody.
                SELECT 1 FROM workflows_app_step s WHERE s.instance_id = r.id AND s.state = 'compensation_failed'
                    AND s.undo_error->>'code' IS DISTINCT FROM 'UNDO_SKIPPED') THEN
            RETURN CASE WHEN r.id = p_root THEN 'it' ELSE r.id || ', which it called,' END || ' waits for an operator';
        ELSIF r.ended_at >= p_before THEN
            RETURN CASE WHEN r.id = p_root THEN 'it' ELSE r.id || ', which it called,' END || ' ended later';
        END IF;
        PERFORM 1 FROM workflows_app_notice n WHERE n.child = r.id;
        IF FOUND THEN RETURN r.id || ' is about to be told something'; END IF;
    END LOOP;
    RETURN '';
END $$;

-- Up to p_limit instances that nobody called, with all that they called finished before p_before, the oldest first;
-- after (p_created, p_id), the last that was looked at.
CREATE OR REPLACE FUNCTION wf_purgeable(p_before timestamptz, p_created timestamptz, p_id uuid, p_limit int)
RETURNS TABLE (id uuid, created_at timestamptz) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT x.id, x.created_at FROM workflows_app_instance x
    WHERE x.created_at < p_before AND (x.created_at, x.id) > (p_created, p_id)
        AND x.ended_at < p_before AND x.parent_id IS NULL AND wf_unpurgeable(x.id, p_before) = ''
    ORDER BY x.created_at, x.id LIMIT p_limit;
END $$;

-- What a checkpoint says about instances; their rows are locked, so that none comes back to life meanwhile.
CREATE OR REPLACE FUNCTION wf_checkpoint(p_instances uuid[]) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM workflows_app_instance x WHERE x.id = ANY (p_instances) ORDER BY x.id FOR UPDATE;
    RETURN (SELECT coalesce(jsonb_object_agg(x.id, jsonb_build_object('workflow', x.workflow, 'version', x.version,
        'state', x.state, 'events', x.sequence, 'head', encode(x.head_hash, 'hex'))), '{}')
        FROM workflows_app_instance x WHERE x.id = ANY (p_instances));
END $$;

-- Delete instances and all that is theirs; the newest entry of the audit trail is their checkpoint.
-- Lines of logs go after the attempts: what is still being written waits for those, and finds them gone.
-- Returns how many rows went of each kind.
CREATE OR REPLACE FUNCTION wf_purge(p_instances uuid[]) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    counts jsonb := '{}';
    kind text;
    n bigint;
BEGIN
    FOREACH kind IN ARRAY ARRAY['event', 'attempt', 'logline', 'step', 'timer', 'dispatch', 'subscription', 'consumption',
            'wakeup', 'slot', 'checkpoint', 'effect', 'artifact', 'callback', 'turn'] LOOP
        EXECUTE format('DELETE FROM %I WHERE instance_id = ANY ($1)', 'workflows_app_' || kind) USING p_instances;
        GET DIAGNOSTICS n = ROW_COUNT;
        counts := counts || jsonb_build_object(kind, n);
    END LOOP;
    DELETE FROM workflows_app_publishedevent e WHERE e.target_instance = ANY (p_instances);
    DELETE FROM workflows_app_instance x WHERE x.id = ANY (p_instances);
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN counts || jsonb_build_object('instance', n);
END $$;

-- A history goes only whole, and only with the checkpoint that was written just before: the lock of the audit trail,
-- held until the commit, keeps every other entry out.
CREATE OR REPLACE FUNCTION wf_refuse_unpurged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND (SELECT a.action = 'instances.purged' AND a.data->'instances' ? OLD.instance_id::text
            FROM workflows_app_auditentry a ORDER BY a.sequence DESC LIMIT 1) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE OR REPLACE TRIGGER event_append_only BEFORE UPDATE OR DELETE ON workflows_app_event
    FOR EACH ROW EXECUTE FUNCTION wf_refuse_unpurged();
