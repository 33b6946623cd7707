"""Replay: the state of an instance made again from nothing but its history. Recorded outcomes are folded in, never
evaluated again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any

from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.events import Event
from workflows_app.engine.fold import State, no_other
from workflows_app.engine.graph import Graph
from workflows_app.engine.snapshot import InstanceSnapshot, StepSnapshot


class HistoryBroken(OrchestratorError):
    """A history with a gap or with an event that cannot have happened."""

    code = "HISTORY_BROKEN"


def replay(
    graph: Graph,
    instance: InstanceSnapshot,
    events: Iterable[Event],
    versions: Callable[[str], Graph] = no_other,
) -> State:
    """Fold a whole history.

    Args:
        graph: the graph of the version that the instance was started with.
        instance: only its identity (id, workflow) is used.
        events: the history in order of sequence, from 1.
        versions: gives the graphs of the versions that it was migrated to; without it, it never was.

    Raises:
        HistoryBroken: naming the sequence number where the history has a gap or makes no sense.
    """
    blank = InstanceSnapshot(id=instance.id, workflow=instance.workflow, version=graph.definition.version)
    state = State(graph, blank, {}, versions)
    for expected, event in enumerate(events, start=1):
        if event.sequence != expected:
            raise HistoryBroken(f"event {expected} is missing; {event.sequence} follows {expected - 1}")
        try:
            state.apply(event)
        except (KeyError, TypeError, ValueError) as problem:
            raise HistoryBroken(f"event {expected} ({event.type}) cannot be applied: {problem!r}") from problem
    return state


def differences(replayed: State, stored: State) -> list[str]:
    """Compare two states and name every field in which they differ; an empty list is what must be.

    A stored row of a pending step that only counts is compared like any other.
    """
    found = _compare("instance", replayed.instance, stored.instance)
    for path in sorted(replayed.steps.keys() | stored.steps.keys()):
        found += _compare(f"step {path}", _step(replayed, path), _step(stored, path))
    for key in sorted(replayed.attempts.keys() | stored.attempts.keys()):
        label = f"attempt {key[1]} of {key[0]}"
        if key not in replayed.attempts or key not in stored.attempts:
            found.append(f"{label}: only in the {'history' if key in replayed.attempts else 'database'}")
        else:
            found += _compare(label, replayed.attempts[key], stored.attempts[key])
    return found


HOW_ROWS_KEEP_VALUES = frozenset({"input_from", "output_from"})
"""What is the row's own business, as long as the values come together as the history has them."""


def _step(state: State, path: str) -> StepSnapshot:
    return state.steps.get(path) or StepSnapshot(path=path)


def _compare(label: str, replayed: Any, stored: Any) -> list[str]:
    values = [(f.name, getattr(stored, f.name), getattr(replayed, f.name)) for f in fields(replayed)]
    values = [each for each in values if each[0] not in HOW_ROWS_KEEP_VALUES]
    return [
        f"{label}: {name} is {in_database!r} in the database, {by_history!r} by its history"
        for name, in_database, by_history in values
        if in_database != by_history
    ]
