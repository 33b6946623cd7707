"""Statistics as text: what ``workflow statistics`` prints."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from workflows_app.management.listing import table
from workflows_app.selectors import presence, windows
from workflows_app.services import statistics
from workflows_app.spans import duration, moment
from workflows_app.taming import tame

MOST_WAYS = 20


def add_arguments(sub: ArgumentParser) -> None:
    sub.add_argument("name", metavar="NAME")
    sub.add_argument("--version", dest="workflow_version", help="of one version; of all by default")
    sub.add_argument("--since", default="7d", help="a duration such as 24h, or a date (default 7d)")
    sub.add_argument("--until", default="", help="a time in UTC; now by default")


def answer(*, name: str, workflow_version: str | None, since: str, until: str, **_: Any) -> tuple[dict[str, Any], str]:
    """Return the statistics of a workflow as a document and as people read them.

    Raises:
        NotFound: with code WORKFLOW_NOT_FOUND or VERSION_NOT_FOUND.
        InputInvalid: with code INVALID_WINDOW.
    """
    window = windows.read(since, until, now=presence.clock())
    found = statistics.read(workflow=name, version=workflow_version, window=window).document
    trend = [{**row, "begin": _stamp(row["begin"])} for row in found["trend"]]
    return {**found, "since": _stamp(found["since"]), "until": _stamp(found["until"]), "trend": trend}, text(found)


def text(found: Mapping[str, Any]) -> str:
    """Return statistics as people read them.

    Args:
        found: the ``document`` of ``services.statistics``.
    """
    version = found["version"] or "all versions"
    lines = [
        f"{found['workflow']}, {version}, from {moment(found['since'])} to {moment(found['until'])} UTC",
        *_figures("", found["figures"]),
        *_figures("before: ", found["baseline"]),
    ]
    if found["figures"]["is_cut"]:
        lines.append(f"of the newest {found['figures']['looked_at']:,} instances only")
    ways = [each for each in found["ways"] if each["condition"] is not None][:MOST_WAYS]
    parts: Sequence[tuple[str, list[dict[str, Any]]]] = (
        ("by version:", [_version(row) for row in found["versions"]]),
        (f"steps of {found['steps_of']}:", [_step("step", row) for row in found["steps"]]),
        ("by activity:", [_step("activity", row) for row in found["activities"]]),
        ("conditional ways:", [{**way, "share": f"{way['share']:.1%}"} for way in ways]),
    )
    for head, rows in parts:
        lines += ["", head, table(rows)] if rows else []
    return "\n".join(lines)


def _figures(head: str, figures: Mapping[str, Any]) -> list[str]:
    states = ", ".join(f"{state} {number}" for state, number in figures["by_state"].items())
    took = ", ".join(f"{name} {_length(value)}" for name, value in figures["seconds"].items())
    return [
        f"{head}{figures['instances']} instances, {figures['open']} active"
        f"; completed {_rate(figures['completion_rate'])}, failed {_rate(figures['failure_rate'])} of those that ended"
        f"; {figures['per_hour']:g} completed an hour",
        *([f"{head}by state: {states}", f"{head}duration of the completed: {took}"] if states else []),
    ]


def _version(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "version": row["version"],
        "instances": row["instances"],
        "active": row["open"],
        "completed": _rate(row["completion_rate"]),
        "failed": _rate(row["failure_rate"]),
        **{name: _length(value) for name, value in row["seconds"].items()},
    }


def _step(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: row[name],
        "runs": row["runs"],
        "failed": row["failed"],
        "retries": row["retries"],
        **{each: _length(value) for each, value in row["seconds"].items()},
        "code": row["code"] and tame(row["code"]),
    }


def _rate(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _length(seconds: float | None) -> str:
    return "-" if seconds is None else duration(seconds)


def _stamp(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
