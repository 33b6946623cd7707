"""What obstacles are read from: each statement takes the ids of instances and reads their work in flight by key.

Of each kind the first four rows of an instance tell enough: one with thousands of open steps costs what any other does.
"""

from __future__ import annotations

from typing import Final

from workflows_app.selectors.presence import SERVED

INSTANCES: Final = """
SELECT i.id, i.state, i.workflow, i.ending, i.definition_version_id AS version_id, i.created_at,
    (i.overrides->'steps')::text AS overridden,
    p.actor AS paused_by, p.at AS paused_at, p.reason AS paused_why
FROM workflows_app_instance i
LEFT JOIN LATERAL (
    SELECT e.actor, e.at, e.data->>'reason' AS reason FROM workflows_app_event e
    WHERE i.state = 'paused' AND e.instance_id = i.id AND e.type IN ('instance.paused', 'instance.rewound')
    ORDER BY e.sequence DESC LIMIT 1
) p ON true
WHERE i.id = ANY(%s::uuid[])
"""

RUNNING: Final = """
SELECT i.id AS instance_id, a.* FROM unnest(%s::uuid[]) i(id) CROSS JOIN LATERAL (
    SELECT a.path, a.number, a.role, a.worker, a.started_at, least(a.lease_expires_at, a.timeout_at) AS due,
        a.stop_requested
    FROM workflows_app_attempt a WHERE a.instance_id = i.id AND a.state = 'running'
    ORDER BY a.path LIMIT 4
) a
"""

TICKETS: Final = f"""
SELECT i.id AS instance_id, d.* FROM unnest(%s::uuid[]) i(id) CROSS JOIN LATERAL (
    SELECT d.path, d.queue, d.created_at AS since, {SERVED} AS served FROM workflows_app_dispatch d
    WHERE d.instance_id = i.id ORDER BY d.path LIMIT 4
) d
"""  # noqa: S608 - a constant

# The time-out of the instance itself and the deadline of a step are no reasons to wait, unless nobody looks at them.
TIMERS: Final = """
SELECT i.id AS instance_id, t.*, s.failures, s.role, e.error->>'code' AS code, left(e.error->>'message', 300) AS message
FROM unnest(%s::uuid[]) i(id) CROSS JOIN LATERAL (
    SELECT t.path, t.kind, t.due_at FROM workflows_app_timer t
    WHERE t.instance_id = i.id AND (t.kind IN ('wait', 'retry', 'join', 'repeat', 'state', 'start')
        AND NOT EXISTS (SELECT 1 FROM workflows_app_subscription w WHERE w.instance_id = i.id AND w.path = t.path)
        OR t.due_at < wf_clock() - interval '15 seconds')
    ORDER BY t.due_at LIMIT 4
) t LEFT JOIN workflows_app_step s ON s.instance_id = i.id AND s.path = t.path
LEFT JOIN LATERAL (SELECT CASE WHEN s.role = 'compensation' THEN s.undo_error ELSE s.error END AS error) e ON true
"""

SUBSCRIPTIONS: Final = """
SELECT i.id AS instance_id, s.* FROM unnest(%s::uuid[]) i(id) CROSS JOIN LATERAL (
    SELECT s.path, s.type, s.key, s.since, p.due_at FROM workflows_app_subscription s
    LEFT JOIN workflows_app_step p ON p.instance_id = s.instance_id AND p.path = s.path
    WHERE s.instance_id = i.id ORDER BY s.path LIMIT 4
) s
"""

CALLED: Final = """
SELECT i.id AS instance_id, c.* FROM unnest(%s::uuid[]) i(id) CROSS JOIN LATERAL (
    SELECT c.parent_path AS path, c.id AS child, c.workflow, c.created_at AS since FROM workflows_app_instance c
    WHERE c.parent_id = i.id AND c.awaited AND c.ended_at IS NULL ORDER BY c.parent_path LIMIT 4
) c
"""

# Ad-hoc sections; asked only of instances of which nothing else is known.
PEOPLE: Final = """
SELECT i.id AS instance_id, s.* FROM unnest(%s::uuid[]) i(id) CROSS JOIN LATERAL (
    SELECT s.path, s.started_at AS since, s.input->'assign' AS assign FROM workflows_app_step s
    WHERE s.instance_id = i.id AND s.state = 'waiting' AND s.input ?& array['plan', 'runs'] AND NOT s.stopping
    ORDER BY s.path LIMIT 4
) s
"""
