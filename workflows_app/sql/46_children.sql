-- Parents and children: rows wake, and no transaction holds the rows of two instances.

-- Who called an instance, as its history tells it.
CREATE OR REPLACE FUNCTION wf_parent(p_parent uuid, p_path text, p_depth int, p_awaited boolean) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object('instance', p_parent, 'step', p_path, 'depth', p_depth, 'awaited', p_awaited)
$$;

-- Leave a notice to be handed over once this is committed. Neither instance is touched: its lock may be held by a
-- session that waits for ours.
CREATE OR REPLACE FUNCTION wf_notice(p_child uuid, p_kind text, p_data jsonb, p_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO workflows_app_notice (child, kind, data, due_at) VALUES (p_child, p_kind, p_data, p_at)
    ON CONFLICT ON CONSTRAINT notice_once DO UPDATE SET data = excluded.data, due_at = excluded.due_at;
END $$;

-- Create the instance that a step calls: pending, with the notice that starts it. The caller holds the parent's row.
CREATE OR REPLACE FUNCTION wf_child(p_parent uuid, c jsonb, p_at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    p record;
    child uuid := (c->>'child')::uuid;
    version_id bigint;
    head bytea;
BEGIN
    SELECT x.correlation_id, x.started_by, x.tags INTO p FROM workflows_app_instance x WHERE x.id = p_parent;
    SELECT v.id INTO STRICT version_id
        FROM workflows_app_definitionversion v JOIN workflows_app_definition d ON d.id = v.definition_id
        WHERE d.name = c->>'workflow' AND v.version = c->>'version';
    head := wf_event(child, '', 1, 'instance.created', '', p_at, p.started_by, jsonb_build_object(
        'input', c->'input', 'correlation_id', p.correlation_id, 'workflow', c->'workflow', 'version', c->'version',
        'parent', wf_parent(p_parent, c->>'step', (c->>'depth')::int, (c->>'awaited')::boolean))
        || CASE WHEN p.tags IS NULL THEN '{}' ELSE jsonb_build_object('tags', p.tags) END);
    INSERT INTO workflows_app_instance (id, definition_version_id, workflow, version, state, undo, input, variables,
        open_steps, undo_failed, sequence, head_hash, correlation_id, started_by, created_at, tags,
        parent_id, parent_path, depth, awaited)
    VALUES (child, version_id, c->>'workflow', c->>'version', 'pending', false, nullif(c->'input', 'null'), '{}',
        0, 0, 1, head, p.correlation_id, p.started_by, p_at, p.tags,
        p_parent, c->>'step', (c->>'depth')::int, (c->>'awaited')::boolean);
    PERFORM wf_notice(child, 'start', '{}', p_at);
END $$;

-- Whoever decides that a called instance ends, here or in the engine: the step that waits for it is told, in the same
-- transaction.
CREATE OR REPLACE FUNCTION wf_tell_parent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM wf_notice(NEW.id, 'ended', '{}', wf_clock());
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER instance_tells_parent AFTER UPDATE OF state ON workflows_app_instance
    FOR EACH ROW WHEN (NEW.awaited AND NEW.ended_at IS NOT NULL AND OLD.state IS DISTINCT FROM NEW.state)
    EXECUTE FUNCTION wf_tell_parent();
