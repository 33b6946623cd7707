-- Events between instances and from outside (ADR 0014). Whoever publishes writes rows of its own only: it takes no lock
-- on another instance, and no constraint makes it wait for one. PL/pgSQL throughout: where the tables are gone, after a
-- migration back, the functions can still be created.

DO $$ BEGIN
    IF to_regclass('workflows_app_publishedevent') IS NOT NULL THEN
        CREATE OR REPLACE TRIGGER publishedevent_unchanged BEFORE UPDATE ON workflows_app_publishedevent
            FOR EACH ROW EXECUTE FUNCTION wf_refuse_change();
    END IF;
END $$;

-- Publish events, begin and end waiting, as one decision asks for. The caller holds the row of p_instance, if there is
-- one.
-- p: {published: [{type, key, data, step}], subscribed: [{path, type, key}], unsubscribed: [path]}
-- Returns the instances that may have an event to take now, perhaps several times; each has a ticket for each step.
CREATE OR REPLACE FUNCTION wf_events(p_instance uuid, p jsonb, p_actor text, p_retention float) RETURNS SETOF uuid
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    r record;
    moment timestamptz;
    published bigint[];
    begun bigint[];
BEGIN
    -- Who publishes and who begins to wait for the same come one after the other, so that the later one sees what the
    -- earlier one has committed. Publishers exclude each other too: ids of one type and key are in order of commit.
    -- Every transaction takes its locks in the same order.
    FOR r IN
        SELECT hashtext(x.type || ' ' || x.key) AS number, bool_or(x.publishes) AS publishes FROM (
            SELECT e->>'type' AS type, e->>'key' AS key, true AS publishes FROM jsonb_array_elements(p->'published') e
            UNION ALL
            SELECT s->>'type', s->>'key', false FROM jsonb_array_elements(p->'subscribed') s
        ) x GROUP BY 1 ORDER BY 1
    LOOP
        IF r.publishes THEN
            PERFORM pg_advisory_xact_lock(hashtext('workflows_app.events'), r.number);
        ELSE
            PERFORM pg_advisory_xact_lock_shared(hashtext('workflows_app.events'), r.number);
        END IF;
    END LOOP;
    moment := wf_clock();
    DELETE FROM workflows_app_subscription s
        WHERE s.instance_id = p_instance AND s.path IN (SELECT jsonb_array_elements_text(p->'unsubscribed'));
    WITH made AS (
        INSERT INTO workflows_app_publishedevent
            (type, key, data, at, expires_at, source_instance, source_step, actor)
        SELECT e->>'type', e->>'key', nullif(e->'data', 'null'), moment, moment + make_interval(secs => p_retention),
            p_instance, coalesce(e->>'step', ''), p_actor
        FROM jsonb_array_elements(p->'published') WITH ORDINALITY AS x(e, place) ORDER BY x.place
        RETURNING id
    ) SELECT array_agg(made.id) INTO published FROM made;
    WITH made AS (
        INSERT INTO workflows_app_subscription (instance_id, path, type, key, since, events_seen, signals_seen)
        SELECT p_instance, s->>'path', s->>'type', s->>'key', moment, 0, 0 FROM jsonb_array_elements(p->'subscribed') s
        RETURNING id
    ) SELECT array_agg(made.id) INTO begun FROM made;
    RETURN QUERY
    INSERT INTO workflows_app_wakeup AS w (instance_id, subscription_id, due_at)
    SELECT s.instance_id, s.id, moment FROM workflows_app_publishedevent e
        JOIN workflows_app_subscription s ON s.type = e.type AND s.key = e.key WHERE e.id = ANY (published)
    UNION
    SELECT s.instance_id, s.id, moment FROM workflows_app_subscription s WHERE s.id = ANY (begun)
        AND (EXISTS (SELECT 1 FROM workflows_app_publishedevent k
                WHERE k.type = s.type AND k.key = s.key AND k.expires_at > moment)
            OR EXISTS (SELECT 1 FROM workflows_app_publishedevent k
                WHERE k.target_instance = s.instance_id AND k.type = s.type AND k.expires_at > moment))
    RETURNING w.instance_id;
END $$;

-- Keep a signal for one instance, whose row the caller holds; that orders it with the waiting that begins there.
-- Returns its id, and whether the instance waits for it.
CREATE OR REPLACE FUNCTION wf_signal(p_instance uuid, p_type text, p_data jsonb, p_actor text, p_retention float,
    OUT id bigint, OUT awaited boolean) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    moment timestamptz := wf_clock();
BEGIN
    INSERT INTO workflows_app_publishedevent AS e
        (type, target_instance, data, at, expires_at, source_step, actor)
    VALUES (p_type, p_instance, nullif(p_data, 'null'), moment, moment + make_interval(secs => p_retention), '', p_actor)
    RETURNING e.id INTO id;
    INSERT INTO workflows_app_wakeup (instance_id, subscription_id, due_at)
        SELECT p_instance, s.id, moment FROM workflows_app_subscription s
        WHERE s.instance_id = p_instance AND s.type = p_type;
    awaited := FOUND;
END $$;

-- Take the tickets of an instance, whose row the caller holds; returns the subscriptions that have to look. They look
-- after that, in a statement of its own: a ticket that is gone has its event seen.
CREATE OR REPLACE FUNCTION wf_tickets(p_instance uuid) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    found bigint[];
BEGIN
    WITH gone AS (
        DELETE FROM workflows_app_wakeup w WHERE w.instance_id = p_instance RETURNING w.subscription_id
    ) SELECT array_agg(DISTINCT gone.subscription_id) INTO found FROM gone;
    RETURN found;
END $$;

-- Put tickets back for those of these subscriptions that are left.
CREATE OR REPLACE FUNCTION wf_look_later(p_subscriptions bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO workflows_app_wakeup (instance_id, subscription_id, due_at)
        SELECT s.instance_id, s.id, wf_clock() FROM workflows_app_subscription s WHERE s.id = ANY (p_subscriptions);
END $$;

-- The oldest event that one of these subscriptions waits for and has not looked at: {subscription, path, event}, or
-- null. Of several the one that has waited longest comes first.
CREATE OR REPLACE FUNCTION wf_arrival(p_subscriptions bigint[]) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz := wf_clock();
BEGIN
    RETURN (
        SELECT jsonb_build_object('subscription', s.id, 'path', s.path, 'event', jsonb_build_object('id', e.id,
            'type', e.type, 'correlate', e.key, 'data', e.data, 'at', e.at,
            'source', jsonb_build_object('actor', e.actor, 'instance', e.source_instance,
                'step', nullif(e.source_step, ''))))
        FROM workflows_app_subscription s CROSS JOIN LATERAL (
            (SELECT k.* FROM workflows_app_publishedevent k
                WHERE k.type = s.type AND k.key = s.key AND k.id > s.events_seen AND k.expires_at > moment
                    AND NOT EXISTS (SELECT 1 FROM workflows_app_consumption c
                        WHERE c.instance_id = s.instance_id AND c.event_id = k.id)
                ORDER BY k.id LIMIT 1)
            UNION ALL
            (SELECT k.* FROM workflows_app_publishedevent k
                WHERE k.target_instance = s.instance_id AND k.type = s.type AND k.id > s.signals_seen
                    AND k.expires_at > moment
                    AND NOT EXISTS (SELECT 1 FROM workflows_app_consumption c
                        WHERE c.instance_id = s.instance_id AND c.event_id = k.id)
                ORDER BY k.id LIMIT 1)
        ) e
        WHERE s.id = ANY (p_subscriptions) ORDER BY e.id, s.id LIMIT 1);
END $$;

-- A step passed an event over.
CREATE OR REPLACE FUNCTION wf_passed(p_subscription bigint, p_event bigint, p_signal boolean) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE workflows_app_subscription s SET
        events_seen = CASE WHEN p_signal THEN s.events_seen ELSE p_event END,
        signals_seen = CASE WHEN p_signal THEN p_event ELSE s.signals_seen END
    WHERE s.id = p_subscription;
END $$;

-- Whether a step waits for an event.
CREATE OR REPLACE FUNCTION wf_awaits(p_instance uuid, p_path text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT 1 FROM workflows_app_subscription s WHERE s.instance_id = p_instance AND s.path = p_path);
END $$;

-- Remove events whose retention is over, and what is noted of them; returns how many.
CREATE OR REPLACE FUNCTION wf_expire(p_limit int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    gone bigint[];
BEGIN
    WITH old AS (
        SELECT k.id FROM workflows_app_publishedevent k WHERE k.expires_at <= wf_clock()
        ORDER BY k.expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED
    ), removed AS (
        DELETE FROM workflows_app_publishedevent k USING old WHERE k.id = old.id RETURNING k.id
    ) SELECT array_agg(removed.id) INTO gone FROM removed;
    DELETE FROM workflows_app_consumption c WHERE c.event_id = ANY (gone);
    RETURN coalesce(cardinality(gone), 0);
END $$;
