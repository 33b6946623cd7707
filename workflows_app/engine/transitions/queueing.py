"""Queueing: events of a state machine that wait for the transition under way; none is lost without a word."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from workflows_app.engine.definition.machine import MACHINE
from workflows_app.engine.errors import Conflict
from workflows_app.engine.events import EventType
from workflows_app.engine.transitions.draft import Draft

MOST_QUEUED = 100
"""How many events may wait for their turn."""


def accept(draft: Draft, event: Mapping[str, Any]) -> None:
    """Record that an event was taken; it waits behind those that came before.

    Raises:
        Conflict: too many wait already, or too much; nothing is recorded.
    """
    waiting = draft.instance.machine_queue
    if len(waiting) >= MOST_QUEUED:
        raise Conflict(f"{len(waiting)} events wait for their turn already; send this one later", code="QUEUE_FULL")
    size = len(json.dumps([*waiting, event], ensure_ascii=False).encode())
    if waiting and size > draft.before.limit_bytes:
        limit = draft.before.limit_bytes
        message = f"the events that wait would take {size} bytes, the limit is {limit}; send this one later"
        raise Conflict(message, code="QUEUE_FULL")
    draft.emit(EventType.MACHINE_EVENT_ACCEPTED, MACHINE, event=dict(event))


def refuse(draft: Draft, problem: Mapping[str, Any]) -> None:
    """Record that the event whose turn has come leads to nothing."""
    first = draft.instance.machine_queue[0]
    named = {key: part for key, part in first.items() if key != "data"}
    draft.emit(EventType.MACHINE_EVENT_REFUSED, MACHINE, event=named, error=dict(problem))


def refuse_all(draft: Draft, problem: Mapping[str, Any]) -> None:
    """Record that none of the events that still wait is looked at any more."""
    while draft.instance.machine_queue:
        refuse(draft, problem)
