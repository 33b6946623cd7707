"""Figures of the steps of one version: how often each ran, failed and was tried again, how long it took.

They are made of the newest instances of the version among those that ``figures`` looks at, and of so many rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from workflows_app.engine.graph import Graph
from workflows_app.engine.paths import split
from workflows_app.engine.states import STEP_OPEN
from workflows_app.selectors import rows
from workflows_app.selectors.figures import CHOSEN, Of, rate, seconds
from workflows_app.selectors.reports import FAILED, UNMEASURED

INSTANCES: Final = 1_000
"""Of how many instances, the newest."""
MOST_ROWS: Final = 50_000
"""Of how many rows of steps; an iteration of a step is a row of its own."""

_RAN: Final = f"""
WITH {CHOSEN}, ran AS MATERIALIZED (
    SELECT s.instance_id, regexp_replace(s.path, '^.*\\]\\.?', '') AS name, s.path, s.state, s.attempts, s.ended_at,
        extract(epoch FROM s.ended_at - s.started_at) AS seconds, s.error->>'code' AS code
    FROM (SELECT id FROM mine ORDER BY created_at DESC LIMIT %(instances)s) m
    JOIN workflows_app_step s ON s.instance_id = m.id
    WHERE s.state NOT IN ('pending', 'skipped') AND s.started_at IS NOT NULL LIMIT %(rows)s
)
"""  # noqa: S608 - a constant
_STEPS: Final = f"""
{_RAN}
SELECT k.step, k.activity, count(*) AS runs, count(DISTINCT r.instance_id) AS instances,
    count(*) FILTER (WHERE r.ended_at IS NOT NULL) AS ended,
    count(*) FILTER (WHERE r.state = ANY(%(failed)s)) AS failed,
    sum(greatest(r.attempts - 1, 0)) AS retries, mode() WITHIN GROUP (ORDER BY r.code) AS code,
    avg(r.seconds) AS mean, max(r.seconds) AS max,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY r.seconds) AS p50,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY r.seconds) AS p95
FROM ran r JOIN unnest(%(names)s::text[], %(activities)s::text[]) k(step, activity) ON k.step = r.name
GROUP BY GROUPING SETS ((k.step, k.activity), (k.activity)) ORDER BY runs DESC, k.step
"""  # noqa: S608 - constants
_PASSAGES: Final = f"""
{_RAN}
SELECT array_agg(DISTINCT r.name) AS begun,
    coalesce(array_agg(DISTINCT r.name) FILTER (WHERE r.state <> ALL(%(open)s)), '{{}}') AS settled,
    coalesce(array_agg(DISTINCT r.name) FILTER (WHERE r.state = ANY(%(failed)s)), '{{}}') AS failed,
    array_agg(DISTINCT split_part(r.path, '[', 1)) AS outermost
FROM ran r GROUP BY r.instance_id
"""  # noqa: S608 - constants


def steps(of: Of, graph: Graph) -> dict[str, list[dict[str, Any]]]:
    """Return the figures of a version's steps and activities, what ran most first.

    Args:
        of: with a version.
        graph: of that version.

    Returns:
        ``steps`` and ``activities``, each with ``runs``, in how many ``instances``, how many of them ``failed``,
        ``failure_rate`` of those that have ended, ``retries``, the ``code`` that they failed with most, and
        ``seconds``: ``mean``, ``p50``, ``p95``, ``max``.
        Blocks are no steps here: they take as long as what stands in them.
    """
    nodes = [node for node in graph.written.values() if not node.is_container and node.kind not in UNMEASURED]
    asked = {
        "names": [split(node.path)[1] or node.path for node in nodes],
        "activities": [node.activity for node in nodes],
    }
    found = rows.named(_STEPS, {**_parameters(of), **asked, "failed": [state.value for state in FAILED]})
    return {
        "steps": [
            {"step": row["step"], "activity": row["activity"] or None, **_row(row)} for row in found if row["step"]
        ],
        "activities": [
            {"activity": row["activity"], **_row(row)} for row in found if row["step"] is None and row["activity"]
        ],
    }


def passages(of: Of) -> list[dict[str, list[str]]]:
    """Return of each instance by name which steps have ``begun``, are ``settled``, ``failed``, and are ``outermost``.

    What is outermost of a state machine are its transitions.
    """
    states = {"open": sorted(state.value for state in STEP_OPEN), "failed": [state.value for state in FAILED]}
    return rows.named(_PASSAGES, {**_parameters(of), **states})


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "runs": row["runs"],
        "instances": row["instances"],
        "failed": row["failed"],
        "failure_rate": rate(row["failed"], row["ended"]),
        "retries": int(row["retries"]),
        "code": row["code"],
        "seconds": seconds(row, ("mean", "p50", "p95", "max")),
    }


def _parameters(of: Of) -> dict[str, Any]:
    return {**of.parameters, "instances": INSTANCES, "rows": MOST_ROWS}
