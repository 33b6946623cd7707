"""What a decision gets to see of a simulated instance: the smallest slice, loaded on demand, or all that there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from tests.strategies.tables import ASKED, TABLES
from workflows_app.engine.compensation import needs_undo
from workflows_app.engine.fold import State
from workflows_app.engine.paths import indexes, iteration_of
from workflows_app.engine.snapshot import NOT_LOADED, StepSnapshot
from workflows_app.engine.states import STEP_OPEN, AttemptState, Role, StepState
from workflows_app.engine.transitions import Decision, Gathered, Occurrence, Slice, SliceMiss, decide

HIDDEN = {"input": NOT_LOADED, "output": NOT_LOADED, "undo_input": NOT_LOADED}


class Rows(dict[str, StepSnapshot]):
    """Rows of steps by path; ``before`` keeps what they were where they were written over."""

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[str, StepSnapshot | None] = {}
        self._lean: dict[str, StepSnapshot] = {}

    def __setitem__(self, path: str, row: StepSnapshot) -> None:
        self.before.setdefault(path, self.get(path))
        self._lean.pop(path, None)
        super().__setitem__(path, row)

    def lean(self, path: str) -> StepSnapshot:
        """Return a row without its values."""
        if path not in self._lean:
            self._lean[path] = replace(self[path], **HIDDEN)
        return self._lean[path]


class FailedAt(Mapping[str, tuple[datetime, ...]]):
    """When the attempts of every step failed: looked up where somebody asks, which hardly any decision does."""

    def __init__(self, state: State) -> None:
        self._state = state

    def __getitem__(self, path: str) -> tuple[datetime, ...]:
        numbers = range(self._state.steps[path].attempts, 0, -1)
        attempts = [self._state.attempts[path, number] for number in numbers]
        ends = (AttemptState.FAILED, AttemptState.TIMED_OUT)
        return tuple(it.ended_at for it in attempts if it.role is Role.ACTION and it.state in ends and it.ended_at)

    def __iter__(self) -> Iterator[str]:
        return iter(self._state.steps)

    def __len__(self) -> int:
        return len(self._state.steps)


class Slices:
    """The part of a ``Simulator`` that stands for the services: it loads what a decision asks for."""

    def everything(self) -> Slice:
        """Return all that there is to know."""
        tables = {asked: TABLES.get(asked) for asked in ASKED}
        return self._slice(set(), set(), True, True, complete=True, tables=tables, failed_at=FailedAt(self.state))

    def _decide_on_demand(self, occurrence: Occurrence, about: str | None) -> Decision:
        reach = self.graph.reach(about)
        paths, valued, whole, with_input = set(reach.paths), set(reach.values), False, reach.input
        complete = False
        further: dict[str, Any] = {"items": {}, "gathered": {}, "tables": {}, "failed_at": {}}
        for turn in range(1, len(self.graph.written) + len(self.state.steps) + len(ASKED) + 5):
            try:
                slice_ = self._slice(paths, valued, whole, with_input, complete=complete, **further)
                decision = decide(slice_, occurrence, now=self.now)
                self.asked.append(turn)
                return decision
            except SliceMiss as miss:
                paths |= miss.paths | miss.rows | miss.values
                valued |= miss.values
                whole, with_input = whole or miss.whole, with_input or miss.input
                complete = complete or miss.complete
                if miss.items is not None:
                    path, first, number = miss.items
                    further["items"][path, first] = tuple(self.state.step(path).input["items"][first : first + number])
                if miss.table is not None:
                    further["tables"][miss.table] = TABLES.get(miss.table)
                if miss.failed_at is not None:
                    further["failed_at"][miss.failed_at] = FailedAt(self.state)[miss.failed_at]
                if miss.undo_inside:
                    further["undo_inside"] = self._undo_inside()
                if miss.gathered is not None:
                    further["gathered"][miss.gathered] = self._gathered(miss.gathered)
        raise AssertionError("the slice never suffices")

    def _gathered(self, path: str) -> Gathered:
        over = {
            indexes(known)[-1]: step
            for known, step in self.state.steps.items()
            if step.settled is not None and self.graph[known].parent == path
        }
        return Gathered(
            outputs={index: step.output for index, step in over.items()},
            errors={index: step.error for index, step in over.items() if step.error is not None},
        )

    def _undo_inside(self) -> bool:
        past = [
            (path, step) for path, step in self.state.steps.items() if iteration_of(path) and step.settled is not None
        ]
        return any(needs_undo(self.graph[path], step) for path, step in past)

    def _is_past(self, path: str, step: StepSnapshot) -> bool:
        """Whether a row settled inside an iteration that has settled: ``whole`` leaves it out."""
        around = iteration_of(path)
        if step.state in STEP_OPEN | {StepState.COMPENSATING} or step.undo_left:
            return False
        return around is not None and self.state.step(around).settled is not None

    def _slice(
        self, paths: set[str], valued: set[str], whole: bool, with_input: bool, *, complete: bool, **further: Any
    ) -> Slice:
        known = paths | valued
        if complete and not known:
            steps = dict(self.rows)
        else:
            chosen = (
                path
                for path, step in self.rows.items()
                if complete or path in known or (whole and not self._is_past(path, step))
            )
            steps = {path: self.rows[path] if path in valued else self.rows.lean(path) for path in chosen}
        instance = self.state.instance if with_input else replace(self.state.instance, input=NOT_LOADED)
        return Slice(
            graph=self.graph,
            instance=instance,
            steps=steps,
            known=frozenset(known),
            valued=frozenset(valued),
            whole=whole,
            complete=complete,
            **further,
        )
