-- Priority: a step counts as having been there five minutes longer for each level above normal (engine/priority.py
-- says why). Written only for steps of another priority than normal: the others keep the time of their creation.
-- p_levels: {path: level}.
CREATE OR REPLACE FUNCTION wf_rank(p_instance uuid, p_levels jsonb, p_head_start float) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE workflows_app_dispatch d
        SET rank = d.created_at - make_interval(secs => p_head_start * (l.value)::int)
        FROM jsonb_each_text(p_levels) l WHERE d.instance_id = p_instance AND d.path = l.key;
END $$;
