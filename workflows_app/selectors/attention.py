"""Attention: which instances somebody had better look at. Each is a set in SQL, read from work in flight.

The same sets filter the list and are counted on the dashboard, so that a number and the list behind it agree.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from django.db.models import QuerySet

from workflows_app.models import Instance


class Concern(StrEnum):
    """Why somebody should look."""

    RETRYING = "retrying"
    STUCK = "stuck"
    NEAR_TIMEOUT = "near-timeout"
    QUARANTINED = "quarantined"


# The same limits as ``obstacles.QUEUED_LONG`` and ``obstacles.OVERDUE``; what an operator holds is not stuck. A step
# whose activity no worker has looks again every ten seconds: it is among the attempts that are due first.
_STUCK: Final = """
SELECT d.instance_id, d.created_at AS since FROM workflows_app_dispatch d
WHERE d.created_at < wf_clock() - interval '60 seconds'
    AND (NOT EXISTS (SELECT 1 FROM workflows_app_hold) OR NOT wf_is_held(d.instance_id, d.queue))
UNION ALL
SELECT t.instance_id, t.due_at FROM workflows_app_timer t
WHERE t.due_at < wf_clock() - interval '15 seconds'
UNION ALL
SELECT a.instance_id, least(a.lease_expires_at, a.timeout_at) FROM workflows_app_attempt a
WHERE a.state = 'running' AND least(a.lease_expires_at, a.timeout_at) < wf_clock() - interval '15 seconds'
UNION ALL
SELECT t.instance_id, coalesce(s.started_at, t.due_at) FROM (
    SELECT r.instance_id, r.path, r.due_at FROM workflows_app_timer r WHERE r.kind = 'retry'
    ORDER BY r.due_at LIMIT 10000
) t JOIN workflows_app_step s ON s.instance_id = t.instance_id AND s.path = t.path
WHERE CASE WHEN s.role = 'compensation' THEN s.undo_error ELSE s.error END->>'code' = 'EXECUTOR_NOT_FOUND'
"""
_RETRYING: Final = """
SELECT t.instance_id, t.due_at AS since FROM workflows_app_timer t
WHERE t.kind = 'retry' AND t.due_at >= wf_clock() - interval '15 seconds'
"""
_NEAR_TIMEOUT: Final = """
SELECT t.instance_id, t.due_at AS since FROM workflows_app_timer t
WHERE t.kind = 'instance' AND t.due_at < wf_clock() + interval '15 minutes'
"""
# As the condition of the index is written, so that it is used.
IN_QUARANTINE: Final = """
(s.error -> 'code') = '"QUARANTINED"'::jsonb OR (s.undo_error -> 'code') = '"QUARANTINED"'::jsonb
"""
_QUARANTINED: Final = f"""
SELECT q.instance_id, q.ended_at AS since FROM (
    SELECT s.instance_id, s.ended_at FROM workflows_app_step s WHERE {IN_QUARANTINE}
    ORDER BY s.ended_at DESC LIMIT 10000
) q
"""  # noqa: S608 - constants
SETS: Final = {
    Concern.STUCK: _STUCK,
    Concern.RETRYING: _RETRYING,
    Concern.NEAR_TIMEOUT: _NEAR_TIMEOUT,
    Concern.QUARANTINED: _QUARANTINED,
}
"""Statements that select ``instance_id`` and ``since``, what is longest or soonest; an instance may come twice."""

MOST: Final = 10_000


def filtered(found: QuerySet[Instance], concern: Concern) -> QuerySet[Instance]:
    """Return those of ``found`` that are of a concern; of more than ``MOST`` in all, some."""
    chosen = f"SELECT DISTINCT c.instance_id FROM ({SETS[concern]}) c LIMIT {MOST}"  # noqa: S608 - constants
    # As an array the set is read first. As a subquery, PostgreSQL would walk through all instances to look for members.
    return found.extra(where=[f"workflows_app_instance.id = ANY(ARRAY({chosen}))"])  # noqa: S610 - constants
