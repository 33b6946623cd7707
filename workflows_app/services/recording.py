"""Recording: a decision as the document that the database's functions take: what changed, and what is to be done."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from workflows_app.engine import handing
from workflows_app.engine.commands import (
    ClearTimers,
    Dispatch,
    Remember,
    SetTimer,
    StartChild,
    TellChild,
    TellToStop,
    Withdraw,
)
from workflows_app.engine.events import Event, EventType
from workflows_app.engine.fold import State
from workflows_app.engine.priority import HEAD_START
from workflows_app.engine.snapshot import NOT_LOADED, InstanceSnapshot, StepSnapshot
from workflows_app.engine.transitions import Decision


def document(decision: Decision, now: datetime, **more: Any) -> str:
    """Return a decision as the JSON text that ``wf_record`` and ``wf_start`` take, with ``more`` keys at its top."""
    found = changes(decision, now) | more
    try:
        return orjson.dumps(found, option=orjson.OPT_PASSTHROUGH_DATETIME, default=_encode).decode()
    except TypeError:
        # A text that is none, from a command line: the database says what is wrong with it.
        return json.dumps(found, allow_nan=False, default=_encode)


def changes(decision: Decision, now: datetime) -> dict[str, Any]:
    """Return a decision as the document that ``wf_record`` takes: only what changed."""
    before, after = decision.before, decision.after
    document: dict[str, Any] = {
        "at": now,
        "instance": _changed(before.instance, after.instance),
        "events": [_columns(event) for event in decision.events],
        "new": [],
        "changed": [],
        "ended": _ended(after),
    }
    brought = _brought(decision)
    rows = _rows(decision)
    document |= rows
    steps = {path: step for path, step in before.steps.items() if path not in rows["gone"]}
    steps |= {name: before.steps[path] for path, name in rows["moved"].items()}
    for path, step in after.steps.items():
        stored = steps.get(path)
        if stored is None:
            document["new"].append(_kept(_columns(step), step, brought.get(path)))
        elif stored is not step and (changed := _changed(stored, step)):
            document["changed"].append({"path": path, **_kept(changed, step, brought.get(path))})
    document |= _net_commands(decision)
    return {key: value for key, value in document.items() if value or key in ("at", "events")}


def _rows(decision: Decision) -> dict[str, Any]:
    """Return the rows that a migration lets go, and those that it gives another name."""
    migrated = (event for event in decision.events if event.type is EventType.INSTANCE_MIGRATED)
    event = next(migrated, None)
    return {"gone": event.data["gone"], "moved": event.data["moved"]} if event else {"gone": [], "moved": {}}


def _brought(decision: Decision) -> dict[str, int]:
    """Return the events that brought large outputs, by path."""
    return {
        event.step: event.sequence
        for event in decision.events
        if event.type is EventType.STEP_COMPLETED
        and "output_from" not in event.data
        and handing.is_large(event.data.get("output"))
    }


def _kept(row: dict[str, Any], step: StepSnapshot, brought: int | None) -> dict[str, Any]:
    """Return the columns of a step with references in the place of large values."""
    if not row.keys().isdisjoint(("input", "input_from")):
        row |= {"input": handing.hollow(step.input, step.input_from), "input_from": step.input_from}
    if not row.keys().isdisjoint(("output", "output_from")):
        row |= {"output": handing.hollow(step.output, step.output_from), "output_from": step.output_from}
        if brought is not None:
            row |= {"output": None, "output_from": handing.written(brought)}
    return row


_COLUMNS = {
    kind: tuple(field.name for field in fields(kind))
    for kind in (Event, InstanceSnapshot, StepSnapshot, StartChild, TellChild)
}


def _columns(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _COLUMNS[type(row)]}


def _changed(before: Any, after: Any) -> dict[str, Any]:
    changed = {}
    for name in _COLUMNS[type(after)]:
        value = getattr(after, name)
        if value is not NOT_LOADED and value != getattr(before, name):
            changed[name] = value
    return changed


def _ended(after: State) -> list[dict[str, Any]]:
    return [
        {"path": a.step, "number": a.number, "state": a.state, "error": a.error}
        for a in after.attempts.values()
        if a.ended_at is not None
    ]


def _net_commands(decision: Decision) -> dict[str, Any]:
    """Reduce the commands, in their order, to what remains of them at the end of the decision."""
    told: list[str] = []
    withdrawn: set[str] = set()
    cleared: set[str] = set()
    timers: dict[tuple[str, str], datetime] = {}
    dispatches: dict[str, Dispatch] = {}
    remembered: list[dict[str, Any]] = []
    children: list[dict[str, Any]] = []
    notices: list[dict[str, Any]] = []
    for command in decision.commands:
        match command:
            case Dispatch():
                dispatches[command.step] = command
            case Withdraw():
                if dispatches.pop(command.step, None) is None:
                    withdrawn.add(command.step)
            case SetTimer():
                timers[command.step, command.kind] = command.due_at
            case ClearTimers():
                cleared.add(command.step)
                timers = {key: due for key, due in timers.items() if key[0] != command.step}
            case TellToStop():
                told.append(command.step)
            case Remember(step=path, activity=activity, key=key, seconds=seconds):
                remembered.append({"path": path, "activity": activity, "key": key, "seconds": seconds})
            case StartChild():
                children.append(_columns(command))
            case TellChild():
                notices.append(_columns(command))
    levels = {path: level for path in dispatches if (level := decision.after.graph[path].priority)}
    return {
        "told": told,
        "withdrawn": sorted(withdrawn),
        "cleared": sorted(cleared),
        "timers": [{"path": path, "kind": kind, "due_at": due} for (path, kind), due in timers.items()],
        "dispatches": [
            {"path": d.step, "generation": d.generation, "queue": d.queue, "timeout": d.timeout}
            for d in dispatches.values()
        ],
        "levels": levels,
        "head_start": HEAD_START if levels else None,
        "remembered": remembered,
        "children": children,
        "notices": notices,
    }


def _encode(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if value is NOT_LOADED:
        return None
    return dict(value)
