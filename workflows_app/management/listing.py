"""Instances as text: the tables that people read in a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from workflows_app.activities import progress
from workflows_app.engine import idempotency, overrides
from workflows_app.engine.states import Role
from workflows_app.models import Instance
from workflows_app.selectors.published import Row as PublishedRow
from workflows_app.selectors.section_views import assigned_words
from workflows_app.taming import tame


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
        "tags": found.tags or [],
    }


def instances(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return instances as a table, their tags as words."""
    return table([{**each, "tags": " ".join(each["tags"])} for each in rows])


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


def versions(name: str, found: Sequence[PublishedRow]) -> tuple[dict[str, Any], str]:
    """Return the versions of a workflow, the highest first, as a document and as people read them."""
    rows = [
        {
            "version": each.version.version,
            "published_at": each.version.published_at.isoformat().replace("+00:00", "Z"),
            "published_by": each.version.published_by,
            "deprecated": each.version.deprecated,
            "differences": each.differs,
            "changes": each.version.changes or None,
        }
        for each in found
    ]
    return {"workflow": name, "versions": rows}, table(
        [{**row, "deprecated": "yes" if row["deprecated"] else None} for row in rows]
    )


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "-"
    text = tame(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= 100 else f"{text[:97]}..."


def result(found: Mapping[str, Any]) -> str:
    """Return the result of an instance: state, output or error, and the state of each step."""
    cause = f" ({found['cause']})" if found["cause"] else ""
    lines = [f"{found['id']}  {found['workflow']} {found['version']}  {found['state']}{cause}"]
    if found["error"]:
        lines.append(f"error: {tame(found['error']['code'])}: {tame(found['error']['message'])}")
    if found["output"] is not None:
        lines.append(f"output: {tame(json.dumps(found['output'], ensure_ascii=False))}")
    if "machine" in found:
        lines += _machine(found["machine"])
    width = max((len(path) for path in found["steps"]), default=0)
    lines += [f"  {path.ljust(width)}  {state}" for path, state in found["steps"].items()]
    return "\n".join(lines)


def _machine(found: Mapping[str, Any]) -> list[str]:
    """Return how a state machine stands: its state, and what may come next."""
    until = f" until {found['until']} at most" if found["until"] else ""
    lines = [f"in {tame(found['state'])} since {found['since']}{until}; version {found['sequence']}"]
    if found["transition"]:
        lines.append(f"under way: {found['transition']}")
    if found["waiting"]:
        lines.append(f"waiting for their turn: {tame(', '.join(found['waiting']))}")
    for each in found["events"]:
        condition = f" if {each['when']}" if each["when"] else ""
        lines.append(tame(f"possible: {each['event']} -> {each['to']}{condition}"))
    return lines


def details(found: Mapping[str, Any]) -> str:
    """Return the result, who called it, what it waits for, and the tables of what it called and of its attempts."""
    attempts = [
        {
            "step": a["step"],
            "attempt": a["number"],
            "role": a["role"],
            "state": a["state"],
            "progress": tame(progress.words(**a["progress"])) if a["progress"] else None,
            "started": a["started_at"],
            "error": f"{a['error']['code']}: {a['error']['message']}" if a["error"] else None,
        }
        for a in found["attempts"]
    ]
    lines = [result(found)]
    if found["starts_at"]:
        lines.append(f"starts at {found['starts_at']}")
    if found["tags"]:
        lines.append(tame(f"tags: {' '.join(found['tags'])}"))
    if found["overrides"]:
        lines.append("\n".join(["instead of what its definition says:", *(f"  {each}" for each in _own(found))]))
    if found["parent"]:
        lines.append(f"called by {found['parent']['instance']}, step {found['parent']['step']}")
    if found["waits_for"]:
        lines.append(tame(found["waits_for"]["sentence"]))
    if found["paused"]:
        lines.append(tame(found["paused"]["sentence"]))
    waits = [
        f"  {a['step']} waits for event {a['event']} with key {tame(a['correlate'])} since {a['since']}"
        for a in found["awaited"]
    ]
    lines += ["\n".join(waits)] if waits else []
    lines += [_section(section) for section in found["sections"]]
    broken = [
        f"  the undo of {each['step']} failed: {tame(each['error']['code'])}: {tame(each['error']['message'])}"
        for each in found["failed_undos"]
    ]
    lines += ["\n".join(broken)] if broken else []
    actions = {a["step"]: a["idempotency_key"] for a in found["attempts"] if a["role"] == "action"}
    keys = {path: key for path, key in actions.items() if key != idempotency.of(found["id"], path, None, Role.ACTION)}
    lines += ["\n".join(f"  {path} has the key {tame(key)}" for path, key in keys.items())] if keys else []
    effects = [
        {key: effect[key] for key in ("step", "attempt", "kind", "state")} | {"target": tame(effect["target"])}
        for effect in found["effects"]
        if effect["kind"] != "service.call"
    ]
    calls = [
        {key: call[key] for key in ("id", "step", "attempt", "service", "operation", "kind", "retries", "maximum")}
        | {key: call[key] for key in ("state", "status", "code")}
        for call in found["calls"]
    ]
    lines += [table(rows) for rows in (found["children"], attempts, effects, calls) if rows]
    return "\n\n".join(lines)


def _own(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield what an instance overrides, a line for the whole and for each step."""
    return (tame(line) for line in overrides.lines(found["overrides"]))


def why(found: Mapping[str, Any]) -> str:
    """Return why an instance is not moving, what matters most first."""
    lines = [f"{found['id']}  {found['workflow']} {found['version']}  {found['state']}"]
    if not found["why"]:
        lines.append("It has ended: nothing is awaited.")
    return "\n".join([*lines, *(f"  {tame(each['sentence'])}" for each in found["why"])])


def _section(section: Mapping[str, Any]) -> str:
    """Say what people may choose in an ad-hoc section."""
    head = f"  {section['step']} waits for {tame(assigned_words(section['assign']))} to choose what is done next:"
    return "\n".join([head, *(f"    {member['step']}: {_member(member)}" for member in section["members"])])


def _member(member: Mapping[str, Any]) -> str:
    runs, planned = member["runs"], member["planned"]
    words = ["planned" if planned == 1 else f"planned {planned} times" if planned else "not planned"]
    if runs:
        words.append(f"picked {'once' if runs == 1 else f'{runs} times'}, {member['state']}")
    return ", ".join(words)


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
