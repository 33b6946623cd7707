"""Which workflows a document calls, and in which order documents that call each other are published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workflows_app.engine.definition.shape import walk


def called(document: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the workflows that a document's ``call`` steps name, however deep they stand.

    Args:
        document: what ``load`` returned; it need not be sound.

    >>> inner = [{"id": "c", "call": {"workflow": "w"}}]
    >>> called({"steps": [{"id": "a", "parallel": {"branches": {"b": inner}}}]})
    frozenset({'w'})
    """
    calls = [step.get("call") for _, step in walk(document.get("steps"), ("steps",)) if isinstance(step, Mapping)]
    names = [call.get("workflow") for call in calls if isinstance(call, Mapping)]
    return frozenset(name for name in names if isinstance(name, str))


def in_order(names: Sequence[str], calls: Sequence[frozenset[str]]) -> tuple[list[int], list[int]]:
    """Order documents so that each stands behind those that it calls; else they stay as they are.

    Args:
        names: the workflow of each document; several may have the same.
        calls: what each calls. A workflow that calls itself waits for nobody.

    Returns:
        the positions in order, and those that call each other in a circle (or call one that does).

    >>> in_order(["a", "b", "c"], [frozenset({"c"}), frozenset(), frozenset({"b"})])
    ([1, 2, 0], [])
    >>> in_order(["a", "b", "c"], [frozenset({"b"}), frozenset({"a"}), frozenset()])
    ([2], [0, 1])
    """
    waiting = list(range(len(names)))
    ordered: list[int] = []
    while waiting:
        missing = {names[position] for position in waiting}
        free = [position for position in waiting if not (calls[position] & missing) - {names[position]}]
        if not free:
            break
        ordered += free
        gone = set(free)
        waiting = [position for position in waiting if position not in gone]
    return ordered, waiting
