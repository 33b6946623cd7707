"""A state machine on the page of its instance: where it stands in words, and the transitions it has come through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from workflows_app.engine.definition.machine import MACHINE, MOVE
from workflows_app.spans import moment
from workflows_app.ui.outline import Line

NAMED = 5
"""Of more events so many are named."""


def stands(machine: Mapping[str, Any]) -> str:
    """Say what a machine waits for.

    Args:
        machine: what ``machine_views.view`` returned, of an instance that runs.

    >>> machine = {"state": "unpaid", "until": None, "transition": None, "waiting": [], "events": [{"event": "pay"}]}
    >>> stands(machine)
    'Waits in “unpaid” for pay.'
    """
    state = f"“{machine['state']}”"
    waiting = len(machine["waiting"])
    if machine["transition"] is not None:
        behind = f" {waiting} more {'event waits' if waiting == 1 else 'events wait'} behind it." if waiting else ""
        return f"In {state}: the transition “{machine['transition']}” is under way.{behind}"
    events = list(dict.fromkeys(each["event"] for each in machine["events"]))
    names = ", ".join(events[:NAMED]) + (f" and {len(events) - NAMED} more" if len(events) > NAMED else "")
    what = f"for {'one of ' if len(events) > 1 else ''}{names}" if events else "though no event is possible there"
    return f"Waits in {state} {what}{_until(machine['until'])}."


def _until(due: datetime | None) -> str:
    return f", until {moment(due)} UTC" if due else ""


def lines(paths: Sequence[str]) -> Iterator[Line]:
    """Yield the transitions that a machine has come through, each with its actions and its move.

    Args:
        paths: of steps, in the order of their beginning.

    >>> [(line.depth, line.path, line.kind) for line in lines(["machine", "go[0]", "go[0].echo", "go[0].move"])]
    [(0, 'go[0]', 'transition'), (1, 'go[0].echo', 'action'), (1, 'go[0].move', 'the move')]
    """
    inside: dict[str, list[str]] = {}
    for path in paths:
        around, _, name = path.partition(".")
        if path != MACHINE:
            inside.setdefault(around, [])
            if name:
                inside[around].append(path)
    for around, steps in inside.items():
        yield Line(path=around, name=around, kind="transition", depth=0)
        for path in steps:
            kind = "the move" if path.endswith(f".{MOVE}") else "action"
            yield Line(path=path, name=path.partition(".")[2], kind=kind, depth=1)
