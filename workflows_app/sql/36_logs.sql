-- Keep lines that an attempt has logged, whatever has become of the attempt; those that are there already stay. The
-- attempt's row is held against a purge only: nobody who decides about it waits, and this waits for none of them.
-- p_ages: how many seconds ago each was said, so that one clock tells all times.
CREATE OR REPLACE FUNCTION wf_log(p_instance uuid, p_path text, p_number int, p_ordinals int[], p_ages float[], p_levels text[],
    p_loggers text[], p_texts text[]) RETURNS void LANGUAGE sql AS $$
    WITH kept AS (
        SELECT a.instance_id, a.path, a.number FROM workflows_app_attempt a
        WHERE a.instance_id = p_instance AND a.path = p_path AND a.number = p_number FOR KEY SHARE
    )
    INSERT INTO workflows_app_logline (instance_id, path, number, ordinal, at, level, logger, text)
    SELECT k.instance_id, k.path, k.number, l.ordinal, wf_clock() - make_interval(secs => l.age), l.level, l.logger, l.text
        FROM kept k, unnest(p_ordinals, p_ages, p_levels, p_loggers, p_texts) AS l(ordinal, age, level, logger, text)
    ON CONFLICT ON CONSTRAINT log_line_unique DO NOTHING
$$;
