"""Statistics of one version from its workflow's latest instances: so many rows of an index, however many there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.db import connection

LATEST = 1_000
"""Of how many instances of the workflow, the newest, figures are made."""
QUERY = """
WITH latest AS (
    SELECT definition_version_id, state, extract(epoch FROM ended_at - started_at) AS seconds
    FROM workflows_app_instance WHERE workflow = %s ORDER BY created_at DESC LIMIT %s
), mine AS (SELECT state, seconds FROM latest WHERE definition_version_id = %s)
SELECT (SELECT count(*) FROM latest),
    (SELECT coalesce(json_object_agg(state, number), '{}')
        FROM (SELECT state, count(*) AS number FROM mine GROUP BY state) s),
    avg(seconds), max(seconds),
    percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds), percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds),
    percentile_cont(0.99) WITHIN GROUP (ORDER BY seconds)
FROM mine WHERE state = 'completed'
"""
# A step that completed without an attempt had a fresh result at hand.
REUSED = """
WITH latest AS (
    SELECT id, definition_version_id FROM workflows_app_instance WHERE workflow = %s ORDER BY created_at DESC LIMIT %s
)
SELECT s.path, count(*), count(*) FILTER (WHERE s.attempts = 0)
FROM latest JOIN workflows_app_step s ON s.instance_id = latest.id AND s.path = ANY (%s)
WHERE latest.definition_version_id = %s AND s.state = 'completed' GROUP BY s.path ORDER BY s.path
"""
OPEN = ("pending", "running", "paused", "compensating")


def statistics(*, workflow: str, version_id: int, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of a version.

    Args:
        document: of the version.

    Returns:
        ``looked_at``: how many instances of the workflow were looked at, the newest; ``instances`` of this version
        among them, ``open``, and ``by_state``; ``completion_rate`` and ``failure_rate`` of those that have ended,
        ``None`` where none has (what was cancelled or terminated is neither); and of those that completed the
        ``seconds``: ``mean``, ``p50``, ``p95``, ``p99`` and ``max``; ``cached``: of the steps with ``cache`` outside
        repetitions, how often each ``completed``, how often of that it ``reused`` a result, and the ``hit_ratio``.
    """
    with connection.cursor() as cursor:
        cursor.execute(QUERY, [workflow, LATEST, version_id])
        looked_at, by_state, *figures = cursor.fetchone()
    total, open_ = sum(by_state.values()), sum(by_state.get(state, 0) for state in OPEN)
    ended = total - open_
    failed = sum(by_state.get(state, 0) for state in ("failed", "compensated", "compensation_failed"))
    names = ("mean", "max", "p50", "p95", "p99")
    return {
        "looked_at": looked_at,
        "instances": total,
        "open": open_,
        "by_state": dict(sorted(by_state.items())),
        "completion_rate": round(by_state.get("completed", 0) / ended, 4) if ended else None,
        "failure_rate": round(failed / ended, 4) if ended else None,
        "seconds": {
            name: None if value is None else round(float(value), 3) for name, value in zip(names, figures, strict=True)
        },
        "cached": _cached(workflow, version_id, list(_cached_steps(document.get("steps", ())))),
    }


def _cached(workflow: str, version_id: int, steps: list[str]) -> list[dict[str, Any]]:
    if not steps:
        return []
    with connection.cursor() as cursor:
        cursor.execute(REUSED, [workflow, LATEST, steps, version_id])
        return [
            {"step": step, "completed": number, "reused": reused, "hit_ratio": round(reused / number, 4)}
            for step, number, reused in cursor.fetchall()
        ]


def _cached_steps(steps: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for step in steps:
        if step.get("cache"):
            yield step["id"]
        for case in step.get("choice", ()):
            yield from _cached_steps(case["steps"])
        for branch in step.get("parallel", {}).get("branches", {}).values():
            yield from _cached_steps(branch)
