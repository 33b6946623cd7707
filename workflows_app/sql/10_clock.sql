-- The one clock: leases, timers and events use the database's time, never a worker's. Tests may set it per session.
CREATE OR REPLACE FUNCTION wf_clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(nullif(current_setting('orchestrator.now', true), '')::timestamptz, clock_timestamp())
$$;
