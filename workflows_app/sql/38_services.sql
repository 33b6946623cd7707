-- Calls of services: whether one may go out, and what came of it. Each is one statement and one commit, so what one
-- worker learns holds for all of them from the next call on.

-- Until when no call goes through: for ever where an operator opened the breaker, never where it is closed.
CREATE OR REPLACE FUNCTION wf_breaker_rests_until(p_state text, p_open timestamptz, p_probe timestamptz)
RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE p_state WHEN 'open' THEN coalesce(p_open, 'infinity') WHEN 'half_open' THEN coalesce(p_probe, '-infinity')
        ELSE '-infinity' END
$$;

-- A turn under a limit on how often something may happen (the algorithm of wf_rate): 0 where it has come, else after
-- how many seconds it comes. Who has to wait has a turn of his own and needs not ask again before it; asking again does
-- not cost another one. Beyond p_most seconds nobody is put into the row: the answer is negative then.
CREATE OR REPLACE FUNCTION wf_turn(p_name text, p_seconds float, p_burst int, p_instance uuid, p_caller text, p_most float)
RETURNS float LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz := wf_clock();
    mine timestamptz;
BEGIN
    SELECT t.due_at INTO mine FROM workflows_app_turn t
        WHERE t.name = p_name AND t.instance_id = p_instance AND t.caller = p_caller FOR UPDATE;
    IF mine > at THEN
        RETURN extract(epoch FROM mine - at);
    ELSIF FOUND THEN
        DELETE FROM workflows_app_turn t WHERE t.name = p_name AND t.instance_id = p_instance AND t.caller = p_caller;
        RETURN 0;
    END IF;
    INSERT INTO workflows_app_rate AS r (name, free_at) VALUES (p_name, at + make_interval(secs => p_seconds))
        ON CONFLICT (name) DO UPDATE SET free_at = greatest(r.free_at, at) + make_interval(secs => p_seconds)
        WHERE r.free_at <= at + make_interval(secs => p_seconds * (p_burst - 1) + p_most)
        RETURNING r.free_at - make_interval(secs => p_seconds * p_burst) INTO mine;
    IF mine IS NULL THEN
        RETURN -p_most;
    ELSIF mine <= at THEN
        RETURN 0;
    END IF;
    INSERT INTO workflows_app_turn (name, instance_id, caller, due_at) VALUES (p_name, p_instance, p_caller, mine);
    RETURN extract(epoch FROM mine - at);
END $$;

-- Ask for one call. refused: null, CIRCUIT_OPEN, BULKHEAD_FULL or RATE_LIMITED; retry_after: seconds, null where nobody
-- knows, negative where there is no turn to be had; token: that of the probe, where this call is the one that tries whether
-- the service is back; place: of the call under way, where calls are counted; tried: the endpoints, the one with the fewest
-- calls under way for its weight first.
-- p_caller: what makes the call the same in all attempts. p_limit: places of the service, null for any number. p_seconds,
-- p_burst: how often it may be called, null for as often as one likes. p_endpoints, p_weights: null where what is under way
-- decides nothing. p_lease: seconds after which a probe that says nothing is over.
CREATE OR REPLACE FUNCTION wf_service_admit(p_service text, p_operation text, p_instance uuid, p_path text, p_number int,
    p_caller text, p_limit int, p_seconds float, p_burst int, p_most float, p_endpoints text[], p_weights int[], p_lease float,
    OUT refused text, OUT retry_after float, OUT token uuid, OUT place bigint, OUT tried text[])
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    b record;
    until timestamptz;
    at timestamptz := wf_clock();
BEGIN
    SELECT x.state, wf_breaker_rests_until(x.state, x.open_until, x.probe_until) AS until INTO b
        FROM workflows_app_breaker x WHERE x.service = p_service AND x.operation = p_operation;
    until := b.until;
    IF coalesce(until <= at, true) AND p_limit IS NOT NULL THEN
        -- One after the other, so that two cannot take the last place; always before the breaker's row.
        PERFORM pg_advisory_xact_lock(hashtext('workflows_app.place'), hashtext(p_service));
        IF (SELECT count(*) FROM workflows_app_place p WHERE p.service = p_service) >= p_limit THEN
            PERFORM wf_free_places(p_service);
            IF (SELECT count(*) FROM workflows_app_place p WHERE p.service = p_service) >= p_limit THEN
                refused := 'BULKHEAD_FULL';
                RETURN;
            END IF;
        END IF;
    END IF;
    IF coalesce(until <= at, true) AND p_seconds IS NOT NULL THEN
        retry_after := wf_turn('service ' || p_service || '.' || p_operation, p_seconds, p_burst, p_instance, p_caller, p_most);
        IF retry_after <> 0 THEN
            refused := 'RATE_LIMITED';
            RETURN;
        END IF;
    END IF;
    IF coalesce(until <= at AND b.state <> 'closed', false) THEN
        SELECT x.state, wf_breaker_rests_until(x.state, x.open_until, x.probe_until) AS until INTO b
            FROM workflows_app_breaker x WHERE x.service = p_service AND x.operation = p_operation FOR UPDATE;
        until := b.until;
        IF b.state <> 'closed' AND until <= at THEN
            token := gen_random_uuid();
            UPDATE workflows_app_breaker x SET state = 'half_open', open_until = NULL, probe = token,
                    probe_until = at + make_interval(secs => p_lease),
                    since = CASE WHEN x.state = 'half_open' THEN x.since ELSE at END
                WHERE x.service = p_service AND x.operation = p_operation;
        END IF;
    END IF;
    IF until > at THEN
        refused := 'CIRCUIT_OPEN';
        retry_after := CASE WHEN isfinite(until) THEN extract(epoch FROM until - at) END;
        RETURN;
    END IF;
    IF p_endpoints IS NOT NULL THEN
        PERFORM wf_free_places(p_service);
        SELECT array_agg(e.name ORDER BY (coalesce(n.calls, 0) + 1)::float / e.weight, e.turn) INTO tried
        FROM unnest(p_endpoints, p_weights) WITH ORDINALITY AS e(name, weight, turn)
            LEFT JOIN (SELECT p.endpoint, count(*) AS calls FROM workflows_app_place p WHERE p.service = p_service
                GROUP BY p.endpoint) n ON n.endpoint = e.name;
    END IF;
    IF p_limit IS NOT NULL OR p_endpoints IS NOT NULL THEN
        INSERT INTO workflows_app_place AS p (service, operation, endpoint, instance, path, number, taken_at)
            VALUES (p_service, p_operation, coalesce(tried[1], ''), p_instance, p_path, p_number, at) RETURNING p.id INTO place;
    END IF;
END $$;

-- Free the places of attempts that are over: killed with their worker, they never gave them back.
CREATE OR REPLACE FUNCTION wf_free_places(p_service text) RETURNS void LANGUAGE sql AS $$
    DELETE FROM workflows_app_place p WHERE p.service = p_service AND NOT EXISTS (
        SELECT 1 FROM workflows_app_attempt a WHERE a.instance_id = p.instance AND a.path = p.path
            AND a.number = p.number AND a.state = 'running')
$$;

-- Report one call. p_outcome: answered, failed, or none where nothing is known of the service by it (it was not asked).
-- Only the probe in hand decides in half-open; what was sent before the breaker opened changes nothing any more.
-- Returns the state that the breaker took by this, null where it stays.
CREATE OR REPLACE FUNCTION wf_service_report(p_service text, p_operation text, p_token uuid, p_outcome text, p_cause text,
    p_failures int, p_open_for float, p_place bigint)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz := wf_clock();
    taken text;
BEGIN
    IF p_place IS NOT NULL THEN
        DELETE FROM workflows_app_place p WHERE p.id = p_place;
    END IF;
    IF p_token IS NOT NULL THEN
        UPDATE workflows_app_breaker x SET
                state = CASE p_outcome WHEN 'answered' THEN 'closed' WHEN 'failed' THEN 'open' ELSE x.state END,
                failures = CASE p_outcome WHEN 'answered' THEN 0 WHEN 'failed' THEN x.failures + 1 ELSE x.failures END,
                open_until = CASE p_outcome WHEN 'failed' THEN at + make_interval(secs => p_open_for) END,
                cause = CASE p_outcome WHEN 'answered' THEN '' WHEN 'failed' THEN p_cause ELSE x.cause END,
                since = CASE p_outcome WHEN 'none' THEN x.since ELSE at END,
                probe = NULL, probe_until = NULL
            WHERE x.service = p_service AND x.operation = p_operation AND x.probe = p_token AND x.state = 'half_open'
            RETURNING nullif(x.state, 'half_open') INTO taken;
    ELSIF p_outcome = 'answered' THEN
        UPDATE workflows_app_breaker x SET failures = 0, cause = ''
            WHERE x.service = p_service AND x.operation = p_operation AND x.state = 'closed' AND x.failures > 0;
    ELSIF p_outcome = 'failed' THEN
        INSERT INTO workflows_app_breaker AS x (service, operation, state, failures, open_until, cause, since)
            VALUES (p_service, p_operation, CASE WHEN p_failures <= 1 THEN 'open' ELSE 'closed' END, 1,
                CASE WHEN p_failures <= 1 THEN at + make_interval(secs => p_open_for) END, p_cause, at)
            ON CONFLICT (service, operation) DO UPDATE SET
                failures = x.failures + 1,
                state = CASE WHEN x.failures + 1 >= p_failures THEN 'open' ELSE 'closed' END,
                open_until = CASE WHEN x.failures + 1 >= p_failures THEN at + make_interval(secs => p_open_for) END,
                since = CASE WHEN x.failures + 1 >= p_failures THEN at ELSE x.since END,
                cause = p_cause
            WHERE x.state = 'closed'
            RETURNING nullif(x.state, 'closed') INTO taken;
    END IF;
    RETURN taken;
END $$;

-- An operator opens a breaker until it is closed again, or closes it. A probe under way decides nothing any more.
CREATE OR REPLACE FUNCTION wf_breaker_switch(p_service text, p_operation text, p_state text, p_cause text) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO workflows_app_breaker (service, operation, state, failures, cause, since)
        VALUES (p_service, p_operation, p_state, 0, p_cause, wf_clock())
        ON CONFLICT (service, operation) DO UPDATE SET state = excluded.state, failures = 0, open_until = NULL,
            probe = NULL, probe_until = NULL, cause = excluded.cause, since = excluded.since
$$;
