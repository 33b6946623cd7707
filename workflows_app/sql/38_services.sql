-- Calls of services: whether one may go out, and what came of it. Each is one statement and one commit, so what one
-- worker learns holds for all of them from the next call on.

-- Until when no call goes through: for ever where an operator opened the breaker, never where it is closed.
CREATE OR REPLACE FUNCTION wf_breaker_rests_until(p_state text, p_open timestamptz, p_probe timestamptz)
RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE p_state WHEN 'open' THEN coalesce(p_open, 'infinity') WHEN 'half_open' THEN coalesce(p_probe, '-infinity')
        ELSE '-infinity' END
$$;

-- Ask for one call. refused: null, CIRCUIT_OPEN or BULKHEAD_FULL; retry_after: seconds, null where nobody knows;
-- token: that of the probe, where this call is the one that tries whether the service is back.
-- p_limit: places of the service, null for any number. p_lease: seconds after which a probe that says nothing is over.
CREATE OR REPLACE FUNCTION wf_service_enter(p_service text, p_operation text, p_limit int, p_instance uuid, p_path text,
    p_number int, p_lease float, OUT refused text, OUT retry_after float, OUT token uuid)
LANGUAGE plpgsql AS $$
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
            DELETE FROM workflows_app_place p WHERE p.service = p_service AND NOT EXISTS (
                SELECT 1 FROM workflows_app_attempt a WHERE a.instance_id = p.instance AND a.path = p.path
                    AND a.number = p.number AND a.state = 'running');
            IF (SELECT count(*) FROM workflows_app_place p WHERE p.service = p_service) >= p_limit THEN
                refused := 'BULKHEAD_FULL';
                RETURN;
            END IF;
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
    ELSIF p_limit IS NOT NULL THEN
        INSERT INTO workflows_app_place (service, operation, instance, path, number, taken_at)
            VALUES (p_service, p_operation, p_instance, p_path, p_number, at) ON CONFLICT DO NOTHING;
    END IF;
END $$;

-- Report one call. p_outcome: answered, failed, or none where nothing is known of the service by it (it was not asked).
-- Only the probe in hand decides in half-open; what was sent before the breaker opened changes nothing any more.
-- Returns the state that the breaker took by this, null where it stays.
CREATE OR REPLACE FUNCTION wf_service_leave(p_service text, p_operation text, p_token uuid, p_outcome text, p_cause text,
    p_failures int, p_open_for float, p_has_place boolean, p_instance uuid, p_path text, p_number int)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz := wf_clock();
    taken text;
BEGIN
    IF p_has_place THEN
        DELETE FROM workflows_app_place p
            WHERE p.service = p_service AND p.instance = p_instance AND p.path = p_path AND p.number = p_number;
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
