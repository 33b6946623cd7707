-- The hot path: a running attempt succeeded, and what follows from it is plain. One statement, one commit. It decides
-- as the engine's transitions do (a property test holds both to the same rows and events), and only what they would
-- decide without looking further; everything else returns no row, nothing is changed, and the engine is asked.
--
-- p_version_id: the version by whose graph the worker asks; of an instance that was migrated meanwhile it knows nothing.
-- p_done, p_begun, p_ended: the data of the events to come; the outputs and the input are taken from them, since a
--     large value costs more to take apart than to keep. Where p_begun has input_from, its input lacks a part of the
--     output or of the workflow's input; where p_done has output_from, its output lacks a part of the step's parameters.
-- p_around: the containers around the step; none may be stopping.
-- p_parent: the innermost of them, which counts its open steps; p_block: where it is a branch that this step closes
--     with its output, the parallel block around it; or a foreach, where it is the last step of an iteration. One that
--     has more items begins them with p_refill open ones: the engine's to decide.
-- p_joins, p_needs: successors that wait for other steps too, and for how many in all; none may become ready.
-- p_next: the successor that waits for this step alone; p_begins: begun here and now by the same worker, otherwise
--     dispatched, and published if its queue has fewer than p_window messages out.
-- p_kept: whether the output, all of it, is so large that the step's row refers to the event that has it.
-- p_ended: null where the end of the instance is the engine's to decide.
-- p_mate, p_generation: another dispatched step, claimed in the same transaction.
-- Returns {published: whether the dispatch of p_next may be published once this is committed, mate: what was taken of it,
--     told: whether the instance ended and has told the one that called it}. Where p_done has output_from, and the step's
--     row does not say that this part of its parameters stands elsewhere, {whole: true}, and nothing is changed: then the
--     caller has to say all of the output.
CREATE OR REPLACE FUNCTION wf_advance_step(p_instance uuid, p_version_id bigint, p_path text, p_number int, p_done jsonb,
    p_kept boolean, p_worker text, p_lease float, p_around text[], p_parent text, p_block text, p_joins text[], p_needs int[],
    p_next text, p_begins boolean, p_begun jsonb, p_timeout float, p_window int, p_ended jsonb,
    p_mate text, p_generation int, p_refill int)
RETURNS jsonb LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    i record;
    at timestamptz;
    actor text := 'worker:' || p_worker;
    given record;
    coming record;
    -- How the step's row keeps its output.
    result jsonb := CASE WHEN NOT p_kept THEN nullif(p_done->'output', 'null') END;
    result_from jsonb;
    seq bigint;
    -- The hashes of the events, null where there is none: each covers the one before.
    done bytea;
    scheduled bytea;
    started bytea;
    last bytea;
    taken bytea;
    start_data jsonb;
    mate record;
    mate_data jsonb;
    last_type text;
    last_path text;
    last_data jsonb;
    closes boolean := false;
    is_end boolean := false;
    left_open int;
    n int;
    published boolean := false;
BEGIN
    SELECT x.state, x.ending, x.sequence, x.head_hash, x.open_steps, x.awaited, x.definition_version_id INTO i
        FROM workflows_app_instance x WHERE x.id = p_instance FOR UPDATE;
    IF i.state IS DISTINCT FROM 'running' OR i.ending IS NOT NULL OR i.definition_version_id <> p_version_id THEN
        RETURN NULL;
    END IF;
    SELECT s.input, s.input_from INTO given FROM workflows_app_step s
        WHERE s.instance_id = p_instance AND s.path = p_path AND s.attempt = p_number AND s.role = 'action';
    IF NOT FOUND THEN RETURN NULL; END IF;
    IF p_done ? 'output_from' THEN
        SELECT r.value, r.value_from INTO result, result_from
            FROM wf_refer(p_done->'output', p_done->'output_from', given.input, given.input_from) r
            WHERE given.input_from IS NOT NULL;
        IF result_from IS NULL THEN RETURN '{"whole": true}'; END IF;
        result := nullif(result, 'null');
    END IF;
    IF p_parent IS NULL THEN
        is_end := i.open_steps = 1;
        IF is_end AND p_ended IS NULL THEN RETURN NULL; END IF;
    ELSE
        PERFORM 1 FROM workflows_app_step s WHERE s.instance_id = p_instance AND s.path = ANY (p_around) AND s.stopping;
        IF FOUND THEN RETURN NULL; END IF;
        SELECT s.open_children INTO left_open FROM workflows_app_step s
            WHERE s.instance_id = p_instance AND s.path = p_parent AND s.state = 'waiting';
        IF NOT FOUND THEN RETURN NULL; END IF;
        closes := left_open = 1;
        IF closes THEN
            IF p_block IS NULL THEN RETURN NULL; END IF;
            SELECT s.open_children INTO left_open FROM workflows_app_step s
                WHERE s.instance_id = p_instance AND s.path = p_block AND s.state = 'waiting'
                    AND (s.planned IS NULL OR s.opened = s.planned OR s.open_children > p_refill + 1);
            IF NOT FOUND OR left_open < 2 THEN RETURN NULL; END IF;
        END IF;
    END IF;
    FOR n IN 1 .. coalesce(array_length(p_joins, 1), 0) LOOP
        PERFORM 1 FROM workflows_app_step s WHERE s.instance_id = p_instance AND s.path = p_joins[n]
            AND (s.state <> 'pending' OR s.needs_settled >= p_needs[n] - 1);
        IF FOUND THEN RETURN NULL; END IF;
    END LOOP;
    at := wf_clock();
    seq := i.sequence + 1;
    IF p_kept AND result_from IS NULL THEN result_from := wf_written(seq); END IF;
    IF p_next IS NOT NULL THEN
        SELECT * INTO coming FROM wf_given(p_begun, result, coalesce(result_from, wf_written(seq)));
        INSERT INTO workflows_app_step (instance_id, path, state, role, generation, attempt, attempts, failures, losses,
            needs_settled, needs_completed, open_children, stopping, effect_unknown, input, input_from, started_at)
        VALUES (p_instance, p_next, CASE WHEN p_begins THEN 'running' ELSE 'scheduled' END, 'action', 1,
            CASE WHEN p_begins THEN 1 END, p_begins::int, 0, 0, 1, 1, 0, false, false,
            coming.value, coming.value_from,
            CASE WHEN p_begins THEN at END)
        ON CONFLICT ON CONSTRAINT step_path_unique DO NOTHING;
        IF NOT FOUND THEN RETURN NULL; END IF;
    END IF;
    -- From here on nothing refuses any more.
    UPDATE workflows_app_step s SET state = 'completed', attempt = NULL, losses = 0, effect_unknown = false,
            output = result, output_from = result_from, error = NULL, due_at = NULL, settled = seq,
            ended_at = at
        WHERE s.instance_id = p_instance AND s.path = p_path;
    UPDATE workflows_app_attempt a SET state = 'succeeded', ended_at = at
        WHERE a.instance_id = p_instance AND a.path = p_path AND a.number = p_number;
    done := wf_chain(i.head_hash, wf_event_text(p_instance, seq, 'step.completed', p_path, at, actor, p_done));
    FOR n IN 1 .. coalesce(array_length(p_joins, 1), 0) LOOP
        UPDATE workflows_app_step s
            SET needs_settled = s.needs_settled + 1, needs_completed = s.needs_completed + 1
            WHERE s.instance_id = p_instance AND s.path = p_joins[n];
        IF NOT FOUND THEN
            INSERT INTO workflows_app_step (instance_id, path, state, role, generation, attempts, failures, losses,
                needs_settled, needs_completed, open_children, stopping, effect_unknown)
            VALUES (p_instance, p_joins[n], 'pending', 'action', 0, 0, 0, 0, 1, 1, 0, false, false);
        END IF;
    END LOOP;
    IF p_next IS NOT NULL THEN
        seq := seq + 1;
        scheduled := wf_chain(done, wf_event_text(p_instance, seq, 'step.scheduled', p_next, at, actor, p_begun));
        IF p_begins THEN
            INSERT INTO workflows_app_attempt (instance_id, path, number, role, state, worker, queue, lease_expires_at,
                timeout_at, stop_requested, started_at)
            VALUES (p_instance, p_next, 1, 'action', 'running', p_worker, p_begun->>'queue',
                at + make_interval(secs => p_lease), at + make_interval(secs => p_timeout), false, at);
            seq := seq + 1;
            start_data := wf_started(1, 'action', p_worker);
            started := wf_chain(scheduled,
                wf_event_text(p_instance, seq, 'step.started', p_next, at, actor, start_data));
        ELSE
            published := wf_dispatch(p_instance, p_next, 1, p_begun->>'queue', p_timeout, at,
                wf_room(p_begun->>'queue', p_window, false) > 0);
        END IF;
    END IF;
    IF closes THEN
        seq := seq + 1;
        -- What the block comes to is said whole: what refers to the step's parameters would mean nothing in its event.
        last_data := CASE WHEN p_done ? 'output_from'
            THEN jsonb_build_object('output', wf_kept(p_instance, result, result_from)) ELSE p_done - 'attempt_state' END;
        UPDATE workflows_app_step s SET state = 'completed', open_children = 0,
                output = CASE WHEN NOT p_kept THEN nullif(last_data->'output', 'null') END,
                output_from = CASE WHEN p_kept THEN wf_written(seq) END, error = NULL, due_at = NULL, settled = seq,
                ended_at = at
            WHERE s.instance_id = p_instance AND s.path = p_parent;
        UPDATE workflows_app_step s SET open_children = s.open_children - 1
            WHERE s.instance_id = p_instance AND s.path = p_block;
        last_type := 'step.completed'; last_path := p_parent;
    ELSIF p_parent IS NOT NULL THEN
        UPDATE workflows_app_step s SET open_children = s.open_children - 1
            WHERE s.instance_id = p_instance AND s.path = p_parent;
    ELSIF is_end THEN
        seq := seq + 1;
        DELETE FROM workflows_app_timer t WHERE t.instance_id = p_instance AND t.path = '';
        last_type := 'instance.completed'; last_path := ''; last_data := p_ended;
    END IF;
    IF last_type IS NOT NULL THEN
        last := wf_chain(coalesce(started, scheduled, done),
            wf_event_text(p_instance, seq, last_type, last_path, at, actor, last_data));
    END IF;
    IF p_mate IS NOT NULL THEN
        SELECT * INTO mate FROM wf_take_step(p_instance, p_mate, p_generation, p_worker, p_lease, true, at);
        IF mate.number IS NOT NULL THEN
            seq := seq + 1;
            mate_data := wf_started(mate.number, mate.role, p_worker);
            taken := wf_chain(coalesce(last, started, scheduled, done),
                wf_event_text(p_instance, seq, 'step.started', p_mate, at, actor, mate_data));
        END IF;
    END IF;
    -- One statement, as each costs more than the rows that it writes.
    INSERT INTO workflows_app_event (instance_id, sequence, type, step, at, actor, data, hash)
    SELECT p_instance, i.sequence + row_number() OVER (), e.type, e.step, at, actor, e.data, e.hash FROM (VALUES
        ('step.completed', p_path, p_done, done), ('step.scheduled', p_next, p_begun, scheduled),
        ('step.started', p_next, start_data, started), (last_type, last_path, last_data, last),
        ('step.started', p_mate, mate_data, taken)
    ) AS e(type, step, data, hash) WHERE e.hash IS NOT NULL;
    UPDATE workflows_app_instance x SET
            sequence = seq,
            head_hash = coalesce(taken, last, started, scheduled, done),
            open_steps = CASE WHEN p_parent IS NULL THEN x.open_steps - 1 ELSE x.open_steps END,
            state = CASE WHEN is_end THEN 'completed' ELSE x.state END,
            output = CASE WHEN is_end THEN nullif(p_ended->'output', 'null') ELSE x.output END,
            ended_at = CASE WHEN is_end THEN at ELSE x.ended_at END
        WHERE x.id = p_instance;
    IF taken IS NOT NULL THEN
        RETURN jsonb_build_object('published', published, 'mate', to_jsonb(mate), 'told', is_end AND i.awaited);
    END IF;
    RETURN jsonb_build_object('published', published, 'told', is_end AND i.awaited);
END $$;
