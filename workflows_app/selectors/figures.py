"""Figures of a workflow: how its instances went, of all or one version, in a window of time.

Every statement reads so many of the newest instances of the workflow in the window, by an index, however many there
are; what is left out is said. An instance belongs to the time at which it was created.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from workflows_app.engine.states import INSTANCE_ENDED, InstanceState
from workflows_app.selectors import rows
from workflows_app.selectors.windows import Window

LATEST: Final = 1_000
"""Of how many instances of the workflow, the newest, figures without a window are made."""
MOST: Final = 20_000
"""Of how many in a window."""
MOST_VERSIONS: Final = 50
FAILED: Final = (InstanceState.FAILED, InstanceState.COMPENSATED, InstanceState.COMPENSATION_FAILED)

CHOSEN: Final = """
latest AS MATERIALIZED (
    SELECT id, version, definition_version_id, state, created_at, extract(epoch FROM ended_at - started_at) AS seconds
    FROM workflows_app_instance
    WHERE workflow = %(workflow)s AND created_at >= %(since)s::timestamptz AND created_at < %(until)s::timestamptz
    ORDER BY created_at DESC LIMIT %(most)s
), mine AS (SELECT * FROM latest WHERE %(version)s::text IS NULL OR version = %(version)s)
"""
"""Reads by the index on workflow and time only: a version that few instances run must not make it read on."""
_PERCENTILES: Final = """
    percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) FILTER (WHERE state = 'completed') AS p50,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) FILTER (WHERE state = 'completed') AS p95,
    percentile_cont(0.99) WITHIN GROUP (ORDER BY seconds) FILTER (WHERE state = 'completed') AS p99
"""
_FIGURES: Final = f"""
WITH {CHOSEN}
SELECT (SELECT count(*) FROM latest) AS looked_at,
    (SELECT coalesce(json_object_agg(state, number), '{{}}')
        FROM (SELECT state, count(*) AS number FROM mine GROUP BY state) s) AS by_state,
    avg(seconds) FILTER (WHERE state = 'completed') AS mean, max(seconds) FILTER (WHERE state = 'completed') AS max,
    {_PERCENTILES}
FROM mine
"""  # noqa: S608 - constants
_VERSIONS: Final = f"""
WITH {CHOSEN}
SELECT version, count(*) AS instances,
    count(*) FILTER (WHERE state = 'completed') AS completed, count(*) FILTER (WHERE state = ANY(%(failed)s)) AS failed,
    count(*) FILTER (WHERE state <> ALL(%(ended)s)) AS open,
    {_PERCENTILES}
FROM mine GROUP BY version ORDER BY instances DESC, version LIMIT %(versions)s
"""  # noqa: S608 - constants
_TREND: Final = f"""
WITH {CHOSEN}
SELECT date_bin(%(interval)s, created_at, %(since)s::timestamptz) AS begin, count(*) AS started,
    count(*) FILTER (WHERE state = 'completed') AS completed, count(*) FILTER (WHERE state = ANY(%(failed)s)) AS failed,
    {_PERCENTILES}
FROM mine GROUP BY 1 ORDER BY 1
"""  # noqa: S608 - constants
_SECONDS: Final = ("mean", "p50", "p95", "p99", "max")


@dataclass(frozen=True, slots=True, kw_only=True)
class Of:
    """What figures are of.

    Args:
        version: one version; ``None``: all.
        window: the time; ``None``: the newest instances, whenever they were.
    """

    workflow: str
    version: str | None = None
    window: Window | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """Return what ``CHOSEN`` takes."""
        window = self.window
        return {
            "workflow": self.workflow,
            "version": self.version,
            "since": window.since.isoformat() if window else "-infinity",
            "until": window.until.isoformat() if window else "infinity",
            "most": MOST if window else LATEST,
        }


def figures(of: Of) -> dict[str, Any]:
    """Return how the instances went.

    Returns:
        ``looked_at``: how many instances of the workflow were looked at, the newest; ``is_cut``: there may be more;
        ``instances`` of the version among them, ``open``, and ``by_state``; ``completion_rate`` and ``failure_rate`` of
        those that have ended, ``None`` where none has (what was cancelled or terminated is neither); ``per_hour``: how
        many were completed, ``None`` without a window; and of those that completed the ``seconds``: ``mean``, ``p50``,
        ``p95``, ``p99`` and ``max``.
    """
    (row,) = rows.named(_FIGURES, of.parameters)
    by_state: dict[str, int] = dict(sorted(row["by_state"].items()))
    ended = sum(number for state, number in by_state.items() if state in INSTANCE_ENDED)
    total, completed = sum(by_state.values()), by_state.get(InstanceState.COMPLETED, 0)
    failed = sum(by_state.get(state, 0) for state in FAILED)
    hours = of.window.length.total_seconds() / 3600 if of.window else None
    return {
        "looked_at": row["looked_at"],
        "is_cut": row["looked_at"] >= of.parameters["most"],
        "instances": total,
        "open": total - ended,
        "by_state": by_state,
        "completion_rate": rate(completed, ended),
        "failure_rate": rate(failed, ended),
        "per_hour": round(completed / hours, 3) if hours else None,
        "seconds": seconds(row, _SECONDS),
    }


def versions(of: Of) -> list[dict[str, Any]]:
    """Return the same by version, the one with the most instances first."""
    return [
        {
            "version": row["version"],
            "instances": row["instances"],
            "open": row["open"],
            "completion_rate": rate(row["completed"], row["instances"] - row["open"]),
            "failure_rate": rate(row["failed"], row["instances"] - row["open"]),
            "seconds": seconds(row, ("p50", "p95", "p99")),
        }
        for row in rows.named(_VERSIONS, {**of.parameters, **_states(), "versions": MOST_VERSIONS})
    ]


def trend(of: Of, window: Window) -> list[dict[str, Any]]:
    """Return the same by interval of the window, the earliest first; intervals in which nothing began are zeros."""
    interval = window.interval
    found = {row["begin"]: row for row in rows.named(_TREND, {**of.parameters, **_states(), "interval": interval})}
    number = -(-window.length // interval)
    return [_interval(window.since + n * interval, found.get(window.since + n * interval)) for n in range(number)]


def _interval(begin: datetime, row: Mapping[str, Any] | None) -> dict[str, Any]:
    started, completed, failed = (row["started"], row["completed"], row["failed"]) if row else (0, 0, 0)
    took = seconds(row or {}, ("p50", "p95"))
    return {"begin": begin, "started": started, "completed": completed, "failed": failed, "seconds": took}


def rate(number: int, total: int) -> float | None:
    """Return a share of one, ``None`` of nothing."""
    return round(number / total, 4) if total else None


def seconds(row: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, float | None]:
    """Return durations of a row to the millisecond."""
    return {name: None if row.get(name) is None else round(float(row[name]), 3) for name in names}


def _states() -> dict[str, list[str]]:
    return {"failed": [state.value for state in FAILED], "ended": sorted(state.value for state in INSTANCE_ENDED)}
