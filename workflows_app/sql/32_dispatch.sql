-- How many more messages a queue takes of those that at most p_window may be out of. A start queues up behind what is
-- held back; the next step of a workflow under way need not.
CREATE OR REPLACE FUNCTION wf_room(p_queue text, p_window int, p_start boolean) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    IF p_start AND EXISTS (SELECT 1 FROM workflows_app_dispatch h
            WHERE h.queue = p_queue AND h.published_at IS NULL) THEN
        RETURN 0;
    END IF;
    RETURN p_window - (SELECT count(*) FROM (SELECT 1 FROM workflows_app_dispatch d
        WHERE d.queue = p_queue AND d.published_at IS NOT NULL LIMIT p_window) x);
END $$;

-- Write a step's ticket: marked as published where there is room for its message. Returns whether there is.
CREATE OR REPLACE FUNCTION wf_dispatch(p_instance uuid, p_path text, p_generation int, p_queue text, p_timeout float,
    p_at timestamptz, p_room boolean) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO workflows_app_dispatch
        (instance_id, path, generation, queue, timeout, created_at, published_at, publications)
    VALUES (p_instance, p_path, p_generation, p_queue, p_timeout, p_at, CASE WHEN p_room THEN p_at END, p_room::int);
    RETURN p_room;
END $$;
