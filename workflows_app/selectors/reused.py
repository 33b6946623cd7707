"""What caches saved: how often the steps of a version with ``cache`` completed with an earlier result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from workflows_app.selectors import rows
from workflows_app.selectors.figures import LATEST

# A step that completed without an attempt had a fresh result at hand.
REUSED = """
WITH latest AS (
    SELECT id, definition_version_id FROM workflows_app_instance
    WHERE workflow = %(workflow)s ORDER BY created_at DESC LIMIT %(latest)s
)
SELECT s.path AS step, count(*) AS completed, count(*) FILTER (WHERE s.attempts = 0) AS reused
FROM latest JOIN workflows_app_step s ON s.instance_id = latest.id AND s.path = ANY (%(steps)s)
WHERE latest.definition_version_id = %(version_id)s AND s.state = 'completed' GROUP BY s.path ORDER BY s.path
"""


def of_version(*, workflow: str, version_id: int, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return figures of the steps with ``cache`` outside repetitions, of the workflow's newest instances.

    Returns:
        For each ``step``, how often it ``completed``, how often of that it ``reused`` a result, and the ``hit_ratio``.
    """
    steps = list(_cached_steps(document.get("steps", ())))
    if not steps:
        return []
    asked = {"workflow": workflow, "version_id": version_id, "steps": steps, "latest": LATEST}
    return [{**row, "hit_ratio": round(row["reused"] / row["completed"], 4)} for row in rows.named(REUSED, asked)]


def _cached_steps(steps: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for step in steps:
        if step.get("cache"):
            yield step["id"]
        for case in step.get("choice", ()):
            yield from _cached_steps(case["steps"])
        for branch in step.get("parallel", {}).get("branches", {}).values():
            yield from _cached_steps(branch)
