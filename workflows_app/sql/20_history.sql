-- History: what a hash covers, how events are appended, and the guards that keep both tables append-only; of events only
-- a purge removes any (80_purge.sql).

-- The text under a hash: a JSON array, as jsonb writes it, so that no field can run into the next.
CREATE OR REPLACE FUNCTION wf_event_text(p_instance uuid, p_sequence bigint, p_type text, p_step text,
    p_at timestamptz, p_actor text, p_data jsonb) RETURNS text LANGUAGE sql STABLE AS $$
    -- Put together as text: jsonb_build_array would take a large p_data apart and build it up again.
    SELECT '["' || p_instance || '", ' || p_sequence || ', ' || to_json(p_type) || ', ' || to_json(p_step) || ', '
        || (extract(epoch FROM p_at) * 1000000)::bigint || ', ' || to_json(p_actor) || ', ' || p_data || ']'
$$;

CREATE OR REPLACE FUNCTION wf_chain(p_before bytea, p_text text) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(p_before || convert_to(p_text, 'UTF8'))
$$;

-- Append one event and return the new head of the chain. The caller holds the instance's row.
CREATE OR REPLACE FUNCTION wf_event(p_instance uuid, p_head bytea, p_sequence bigint, p_type text, p_step text,
    p_at timestamptz, p_actor text, p_data jsonb) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
    head bytea := wf_chain(p_head, wf_event_text(p_instance, p_sequence, p_type, p_step, p_at, p_actor, p_data));
BEGIN
    INSERT INTO workflows_app_event (instance_id, sequence, type, step, at, actor, data, hash)
    VALUES (p_instance, p_sequence, p_type, p_step, p_at, p_actor, p_data, head);
    RETURN head;
END $$;

-- Append events in order of sequence, with their own times or all with p_at.
CREATE OR REPLACE FUNCTION wf_append(p_instance uuid, p_head bytea, p_events jsonb, p_at timestamptz DEFAULT NULL)
RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
    e record;
    head bytea := p_head;
BEGIN
    FOR e IN SELECT * FROM jsonb_to_recordset(p_events)
        AS x(sequence bigint, type text, step text, at timestamptz, actor text, data jsonb) ORDER BY 1
    LOOP
        head := wf_event(p_instance, head, e.sequence, e.type, e.step, coalesce(p_at, e.at), e.actor, e.data);
    END LOOP;
    RETURN head;
END $$;

CREATE OR REPLACE FUNCTION wf_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE OR REPLACE TRIGGER event_no_truncate BEFORE TRUNCATE ON workflows_app_event
    FOR EACH STATEMENT EXECUTE FUNCTION wf_refuse_change();
CREATE OR REPLACE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON workflows_app_auditentry
    FOR EACH ROW EXECUTE FUNCTION wf_refuse_change();
CREATE OR REPLACE TRIGGER audit_no_truncate BEFORE TRUNCATE ON workflows_app_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION wf_refuse_change();

-- A published version never changes; only its deprecation may.
CREATE OR REPLACE FUNCTION wf_refuse_version_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND to_jsonb(NEW) - 'deprecated' = to_jsonb(OLD) - 'deprecated' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a published version never changes: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE OR REPLACE TRIGGER version_immutable BEFORE UPDATE OR DELETE ON workflows_app_definitionversion
    FOR EACH ROW EXECUTE FUNCTION wf_refuse_version_change();
