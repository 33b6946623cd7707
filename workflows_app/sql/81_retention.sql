-- Retention: which finished instances nobody keeps any longer.

-- Up to p_limit instances that nobody called and whose retention is over, as their version says it, or where that is
-- silent, p_keep (seconds; empty: for ever) and p_then. One whose steps called a version that says more of its own stays
-- as long as that. Instances in p_except and versions in
-- p_without are left out.
CREATE OR REPLACE FUNCTION wf_expired(p_keep float, p_then text, p_except uuid[], p_without bigint[],
    p_limit int)
RETURNS TABLE (version bigint, purpose text, before timestamptz, root uuid, ended timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v record;
    found bigint;
    room bigint := p_limit;
BEGIN
    FOR v IN SELECT d.id, CASE d.retention_then WHEN '' THEN p_then ELSE d.retention_then END::text AS purpose,
                wf_clock() - make_interval(secs => coalesce(d.retention_seconds, p_keep)) AS before
            FROM workflows_app_definitionversion d
            WHERE (d.retention_then IN ('purge', 'archive') OR (d.retention_then = '' AND p_keep IS NOT NULL))
                AND d.id <> ALL (p_without)
            ORDER BY d.id LOOP
        -- In no order: that would look at all of them before the first is returned.
        RETURN QUERY SELECT v.id, v.purpose, v.before, x.id, x.ended_at FROM workflows_app_instance x
            WHERE x.definition_version_id = v.id AND x.ended_at < v.before AND x.parent_id IS NULL
                AND x.id <> ALL (p_except) AND wf_unpurgeable(x.id, v.before) = '' AND NOT wf_kept_below(x.id)
            LIMIT room;
        GET DIAGNOSTICS found = ROW_COUNT;
        room := room - found;
        EXIT WHEN room <= 0;
    END LOOP;
END $$;

-- Whether a version of something that an instance called says that it is to be kept still.
CREATE OR REPLACE FUNCTION wf_kept_below(p_root uuid) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT 1 FROM wf_family(p_root) AS f(id)
        JOIN workflows_app_instance x ON x.id = f.id AND x.id <> p_root
        JOIN workflows_app_definitionversion d ON d.id = x.definition_version_id
        WHERE d.retention_then = 'keep' OR x.ended_at >= wf_clock() - make_interval(secs => d.retention_seconds));
END $$;
