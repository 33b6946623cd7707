"""The state tables as Mermaid diagrams, so that documentation and code cannot tell two stories."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from workflows_app.engine.states import (
    ATTEMPT_TRANSITIONS,
    BREAKER_TRANSITIONS,
    EFFECT_TRANSITIONS,
    INSTANCE_TRANSITIONS,
    STEP_TRANSITIONS,
)

INTRODUCTION = """# State tables

Made by `python manage.py states`; a test holds this page to the tables in `workflows_app/engine/states.py`, from which
the database's constraints derive as well. A terminal state has no way out; `compensation_failed` waits for an operator,
who has the undo run again or says that it was done by hand; a `failed` instance may be retried by one, and a
`completed` or `failed` one may be taken back to a step. An effect is what an attempt did outside; one that is still
`planned` when its attempt is over is read as `unknown`. A breaker stands before an operation of a service: `open` to
`closed` is an operator's act alone.
"""


def page() -> str:
    """Return the documentation page of all machines."""
    parts = [INTRODUCTION]
    for name, table in (
        ("Instance", INSTANCE_TRANSITIONS),
        ("Step", STEP_TRANSITIONS),
        ("Attempt", ATTEMPT_TRANSITIONS),
        ("Effect", EFFECT_TRANSITIONS),
        ("Breaker", BREAKER_TRANSITIONS),
    ):
        parts.append(f"## {name}\n\n```mermaid\n{diagram(table)}\n```\n")
    return "\n".join(parts)


def diagram(table: Mapping[Any, frozenset[Any]]) -> str:
    """Return a Mermaid state diagram of one table.

    >>> class Light(StrEnum):
    ...     RED = "red"
    ...     GREEN = "green"
    >>> print(diagram({Light.RED: frozenset({Light.GREEN}), Light.GREEN: frozenset()}))
    stateDiagram-v2
        [*] --> red
        red --> green
        green --> [*]
    """
    states: list[StrEnum] = list(table)
    lines = ["stateDiagram-v2", f"    [*] --> {states[0]}"]
    for state in states:
        lines += [f"    {state} --> {target}" for target in states if target in table[state]]
        if not table[state]:
            lines.append(f"    {state} --> [*]")
    return "\n".join(lines)
