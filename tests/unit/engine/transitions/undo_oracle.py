"""What an undo has to be, told from the document alone: which step depended on which, and what was done.

It knows nothing of the engine's graph or of how it orders an undo. Where a step stands is a row of places, from the
outside to the inside: a list of steps, and which of them; then which branch, item or iteration of that.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from tests.unit.engine.transitions.simulator import Simulator
from workflows_app.engine.definition import Definition
from workflows_app.engine.definition.model import (
    ActivityBody,
    AdhocBody,
    CallBody,
    ChoiceBody,
    ForeachBody,
    LoopBody,
    ParallelBody,
    Step,
)
from workflows_app.engine.events import EventType
from workflows_app.engine.states import AttemptState, Role, StepState

Place = tuple[str, str]
"""``(step, which part of it)``: the name of a branch or the number of a case; empty for a step itself."""


class Oracle:
    """Answers about one definition."""

    def __init__(self, definition: Definition) -> None:
        self.steps: dict[str, Step] = {}
        self.around: dict[str, tuple[Place, ...]] = {}
        self.upstream: dict[str, set[str]] = {}
        self._read(definition.steps, ())

    def _read(self, steps: tuple[Step, ...], around: tuple[Place, ...]) -> None:
        for before, step in pairwise((None, *steps)):
            assert step is not None
            self.steps[step.id], self.around[step.id] = step, around
            direct = ({before.id} if before else set()) if step.needs is None else set(step.needs)
            self.upstream[step.id] = direct.union(*(self.upstream[need] for need in direct))
            for part, inner in _parts(step):
                self._read(inner, (*around, (step.id, part)))

    def depends(self, later: str, earlier: str) -> bool:
        """Whether the step at one path depended on the one at another, directly or not."""
        for one, other in zip(self._way(later), self._way(earlier), strict=False):
            (step, part, index), (before, its_part, its_index) = one, other
            if step != before:
                return before in self.upstream[step]
            if part != its_part:
                return False
            if index != its_index:
                return isinstance(self.steps[step].body, LoopBody) and index > its_index
        return False

    def _way(self, path: str) -> list[tuple[str, str, int]]:
        """Return where a path leads through, with the number of the iteration where there is one."""
        numbers = [int(piece.partition("]")[0]) for piece in path.split("[")[1:]]
        name = path.rpartition(".")[2]
        found: list[tuple[str, str, int]] = []
        for step, part in (*self.around[name], (name, "")):
            repeats = isinstance(self.steps[step].body, ForeachBody | LoopBody | AdhocBody) and step != name
            found.append((step, part, numbers.pop(0) if repeats else -1))
        return found

    def to_undo(self, simulator: Simulator) -> set[str]:
        """Return the steps that may have had an effect which their definition says how to undo."""
        return self._undoable(simulator) - self.not_needed(simulator)

    def not_needed(self, simulator: Simulator) -> set[str]:
        """Return those of them of which the condition of their undo says that it is not needed."""
        code = (simulator.state.instance.error or {}).get("code")
        false = {"1 > 2": True, "error.code == 'CANCELLED'": code != "CANCELLED"}
        false["error.code != 'CANCELLED'"] = code == "CANCELLED"
        return {
            path
            for path in self._undoable(simulator)
            if false.get(self._condition(path), False)
            or (self._condition(path) == "output != null" and simulator.state.step(path).output is None)
        }

    def not_decidable(self, simulator: Simulator) -> set[str]:
        """Return those of them of which the condition cannot be evaluated."""
        return {path for path in self._undoable(simulator) if self._condition(path) == "1 / 0 > 0"}

    def _condition(self, path: str) -> str:
        undo = self.steps[path.rpartition(".")[2]].compensate
        return (undo.when if undo else None) or ""

    def _undoable(self, simulator: Simulator) -> set[str]:
        return {path for path in simulator.state.steps if self._is_to_undo(simulator, path)}

    def _is_to_undo(self, simulator: Simulator, path: str) -> bool:
        step = self.steps.get(path.rpartition(".")[2])
        if step is None or path.endswith("]"):
            return False
        if isinstance(step.body, CallBody) and step.body.wait and not step.compensate and not step.irreversible:
            ends = [e for e in simulator.events if e.step == path and e.type is EventType.STEP_COMPLETED]
            return any("error" not in end.data for end in ends)
        if step.compensate is None:
            return False
        if isinstance(step.body, ActivityBody):
            return _had_effect(simulator, path)
        return _called_had_effect(simulator, path)

    def limited(self, path: str) -> bool:
        """Whether a step stands in a ``foreach`` of which only so many iterations may be under way."""
        around = [self.steps[step].body for step, _ in self.around[path.rpartition(".")[2]]]
        return any(isinstance(body, ForeachBody) and body.max_concurrency is not None for body in around)


def _parts(step: Step) -> Iterator[tuple[str, tuple[Step, ...]]]:
    match step.body:
        case ChoiceBody(cases=cases):
            yield from ((str(number), case.steps) for number, case in enumerate(cases))
        case ParallelBody(branches=branches):
            yield from branches.items()
        case ForeachBody(steps=steps) | LoopBody(steps=steps):
            yield "", steps
        case AdhocBody(steps=steps):
            yield from ((member.id, (member,)) for member in steps)


def _had_effect(simulator: Simulator, path: str) -> bool:
    attempts = [
        attempt
        for (of, _), attempt in sorted(simulator.state.attempts.items())
        if of == path and attempt.role is not Role.COMPENSATION
    ]
    return any(attempt.state is AttemptState.SUCCEEDED for attempt in attempts) or any(
        attempt.state in (AttemptState.TIMED_OUT, AttemptState.LOST)
        or (attempt.error or {}).get("details", {}).get("effect") == "unknown"
        or (attempt.state is AttemptState.CANCELLED and attempt.error is None)
        for attempt in attempts
    )


def _called_had_effect(simulator: Simulator, path: str) -> bool:
    ends = (EventType.STEP_COMPLETED, EventType.STEP_FAILED, EventType.STEP_TIMED_OUT, EventType.STEP_CANCELLED)
    (end,) = [e for e in simulator.events if e.step == path and e.type in ends] or [None]
    if end is None:
        return False
    completed = end.type is EventType.STEP_COMPLETED and "error" not in end.data
    return completed or bool(end.data.get("effect_unknown"))


def undo_states(simulator: Simulator) -> set[StepState]:
    """Return the states in which the steps that were undone are."""
    undone = {e.step for e in simulator.events if e.type is EventType.STEP_COMPENSATING}
    return {simulator.state.step(path).state for path in undone}
