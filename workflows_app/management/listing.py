"""Instances as text: the tables that people read in a terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from workflows_app.models import Instance


def row(found: Instance) -> dict[str, Any]:
    """Return an instance as one row of a list."""
    seconds = None
    if found.started_at and found.ended_at:
        seconds = round((found.ended_at - found.started_at).total_seconds(), 3)
    return {
        "id": str(found.pk),
        "workflow": found.workflow,
        "version": found.version,
        "state": found.state,
        "cause": found.cause,
        "started_at": found.started_at.isoformat().replace("+00:00", "Z") if found.started_at else None,
        "seconds": seconds,
        "correlation_id": found.correlation_id,
    }


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as an aligned table.

    >>> print(table([{"id": "1", "state": "running"}, {"id": "22", "state": None}]))
    id  state
    1   running
    22  -
    """
    if not rows:
        return "nothing to show"
    heads = list(rows[0])
    cells = [heads, *([_cell(r[head]) for head in heads] for r in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(heads))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells)


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "-"
    text = tame(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= 100 else f"{text[:97]}..."


def tame(text: str) -> str:
    r"""Write out what would move a terminal's cursor, change its colours or begin a line: errors quote strangers.

    >>> tame("a\x1b[2J\nb é")
    'a\\x1b[2J\\nb é'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def result(found: Mapping[str, Any]) -> str:
    """Return the result of an instance: state, output or error, and the state of each step."""
    cause = f" ({found['cause']})" if found["cause"] else ""
    lines = [f"{found['id']}  {found['workflow']} {found['version']}  {found['state']}{cause}"]
    if found["error"]:
        lines.append(f"error: {tame(found['error']['code'])}: {tame(found['error']['message'])}")
    if found["output"] is not None:
        lines.append(f"output: {tame(json.dumps(found['output'], ensure_ascii=False))}")
    width = max((len(path) for path in found["steps"]), default=0)
    lines += [f"  {path.ljust(width)}  {state}" for path, state in found["steps"].items()]
    return "\n".join(lines)


def details(found: Mapping[str, Any]) -> str:
    """Return the result and the table of attempts."""
    attempts = [
        {
            "step": a["step"],
            "attempt": a["number"],
            "role": a["role"],
            "state": a["state"],
            "started": a["started_at"],
            "error": f"{a['error']['code']}: {a['error']['message']}" if a["error"] else None,
        }
        for a in found["attempts"]
    ]
    return f"{result(found)}\n\n{table(attempts)}" if attempts else result(found)


def history(events: Sequence[Mapping[str, Any]]) -> str:
    """Return events as a table, their data shortened to one line."""
    return table(
        [
            {
                "#": e["sequence"],
                "at": e["at"],
                "event": e["type"],
                "step": e["step"],
                "actor": e["actor"],
                "data": e["data"] or None,
            }
            for e in events
        ]
    )
