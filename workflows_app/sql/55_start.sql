-- The version that a start takes: the one named, or the highest that is neither deprecated nor a prerelease. None where
-- an operator holds the workflow.
CREATE OR REPLACE FUNCTION wf_startable(p_workflow text, p_version text)
RETURNS TABLE (id bigint, version text, now timestamptz) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT v.id, v.version::text, wf_clock()
    FROM workflows_app_definitionversion v JOIN workflows_app_definition d ON d.id = v.definition_id
    WHERE d.name = p_workflow
        AND NOT EXISTS (SELECT 1 FROM workflows_app_hold h
            WHERE h.kind = 'all' OR (h.kind = 'definition' AND h.name = p_workflow))
        AND CASE WHEN p_version IS NULL THEN NOT v.deprecated AND v.prerelease = '' ELSE v.version = p_version END
    ORDER BY v.major DESC, v.minor DESC, v.patch DESC LIMIT 1;
END $$;

-- A new instance with all that its first decision leads to; one that only waits for a slot has no state in it.
-- p_asked: the version that was asked for, null for the highest; p_stamped: nothing in the decision depends on the
--     time, so the time is taken here, and p_version_id is what an earlier start took: it has to be the right one still.
-- p_input: null where the first event has the input: a large one is not read twice.
-- Returns {at, dispatches: those that may be published once this is committed, [[path, generation, queue, timeout]]};
-- nothing is stored where it returns {outdated: true} (another version is to be taken) or null (the idempotency key is
-- taken).
CREATE OR REPLACE FUNCTION wf_start(p_id uuid, p_version_id bigint, p_workflow text, p_version text, p_asked text,
    p_correlation text, p_key text, p_actor text, p_input jsonb, p_decision jsonb, p_window int, p_stamped boolean)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    i jsonb := p_decision->'instance';
    at timestamptz := (p_decision->>'at')::timestamptz;
    events jsonb := p_decision->'events';
    head bytea := '';
BEGIN
    -- Without the events: changing a document takes it apart.
    p_decision := p_decision - 'events';
    IF p_stamped THEN
        SELECT s.now INTO at FROM wf_startable(p_workflow, p_asked) s WHERE s.id = p_version_id;
        IF NOT FOUND THEN RETURN '{"outdated": true}'; END IF;
        p_decision := p_decision || jsonb_build_object('at', at);
    END IF;
    -- Events first, so that the row is written once; their foreign key is checked at the commit. A key may be taken:
    -- then the row comes first, so that nothing is stored.
    IF p_key IS NULL THEN head := wf_append(p_id, head, events, at); END IF;
    INSERT INTO workflows_app_instance (id, definition_version_id, workflow, version, state, cause, ending, undo, input,
        variables, output, error, open_steps, undo_failed, sequence, head_hash, correlation_id,
        idempotency_key, concurrency_key, started_by, created_at, started_at, ended_at, machine_state, machine_since,
        tags, overrides)
    VALUES (p_id, p_version_id, p_workflow, p_version, coalesce(i->>'state', 'pending'), i->>'cause', i->>'ending',
        coalesce((i->>'undo')::boolean, false), coalesce(p_input, events #> '{0,data,input}'), coalesce(i->'variables', '{}'), nullif(i->'output', 'null'),
        nullif(i->'error', 'null'), coalesce((i->>'open_steps')::int, 0), 0, (i->>'sequence')::bigint,
        head, p_correlation, p_key, p_decision->>'concurrency_key', p_actor, at,
        CASE WHEN i ? 'state' THEN at END, (i->>'ended_at')::timestamptz, i->>'machine_state',
        (i->>'machine_since')::timestamptz, CASE WHEN i ? 'tags' THEN wf_tags(i) END, i->'overrides')
    ON CONFLICT (workflow, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING;
    IF NOT FOUND THEN RETURN NULL; END IF;
    IF p_key IS NOT NULL THEN
        head := wf_append(p_id, head, events, at);
        UPDATE workflows_app_instance x SET head_hash = head WHERE x.id = p_id;
    END IF;
    RETURN (SELECT jsonb_build_object('at', at,
            'dispatches', coalesce(jsonb_agg(jsonb_build_array(r.path, r.generation, r.queue, r.timeout)), '[]'))
        FROM wf_record_rest(p_id, p_decision, p_window) r WHERE r.path IS NOT NULL);
END $$;
