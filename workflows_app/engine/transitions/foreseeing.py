"""Foreseeing: what going back to a step would undo, in which order, and what would run again; nothing happens.

The same decisions are taken as if the operator had asked for it and every undo worked at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from workflows_app.engine.callee import child_id
from workflows_app.engine.events import Event, EventType
from workflows_app.engine.fold import State
from workflows_app.engine.states import InstanceState, StepState
from workflows_app.engine.transitions.decide import decide
from workflows_app.engine.transitions.occurrences import AttemptSucceeded, ChildEnded, Occurrence, Rewind, StepClaimed
from workflows_app.engine.transitions.slice import Slice


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What would happen.

    Args:
        undone: paths of the steps that would be undone, in turns: those of one turn side by side.
        unneeded: of those whose condition says that they need no undo.
        failing: of those whose undo would fail at once, as it cannot be evaluated, with the error.
        again: of the steps that would wait for their turn as if they had never run; empty while an undo fails.
    """

    undone: tuple[tuple[str, ...], ...]
    unneeded: tuple[str, ...]
    failing: dict[str, Any]
    again: tuple[str, ...]


def rewind(slice_: Slice, occurrence: Rewind, *, now: datetime) -> Foreseen:
    """Foresee a rewind, without what would run after it.

    Raises:
        NotFound, StateForbids, InputInvalid: as the rewind would.
        SliceMiss: something is missing to tell.
    """
    decision = decide(slice_, replace(occurrence, resume=False), now=now)
    events, turns = list(decision.events), list[tuple[str, ...]]()
    state = decision.after
    while turn := _under_way(state):
        turns.append(turn)
        for path in turn:
            for occurred in _undone(state, path):
                after = replace(slice_, instance=state.instance, steps=state.steps, whole=True, complete=True)
                decision = decide(after, occurred, now=now)
                events += decision.events
                state = decision.after
    return _told(events, turns)


def _under_way(state: State) -> tuple[str, ...]:
    if state.instance.state is not InstanceState.COMPENSATING:
        return ()
    found = (path for path, step in state.steps.items() if step.state is StepState.COMPENSATING)
    return tuple(sorted(found, key=lambda path: -(state.steps[path].settled or 0)))


def _undone(state: State, path: str) -> Iterator[Occurrence]:
    """Yield what happens when the undo of a step works."""
    step = state.step(path)
    if state.graph[path].undone_by_child:
        child = child_id(state.instance.id, path, step.generation)
        yield ChildEnded(step=path, child=child, state=InstanceState.COMPENSATED)
        return
    yield StepClaimed(step=path, worker="")
    yield AttemptSucceeded(step=path, number=step.attempts + 1, output=None)


def _told(events: list[Event], turns: list[tuple[str, ...]]) -> Foreseen:
    failed = {e.step: dict(e.data["error"]) for e in events if e.type is EventType.STEP_COMPENSATION_FAILED}
    return Foreseen(
        undone=tuple(turns),
        unneeded=tuple(e.step for e in events if e.type is EventType.STEP_UNDO_UNNEEDED),
        failing=failed,
        again=tuple(path for e in events if e.type is EventType.INSTANCE_REWOUND for path in e.data["again"]),
    )
