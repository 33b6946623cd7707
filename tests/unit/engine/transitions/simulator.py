"""A whole installation in memory: the engine's decisions applied to a dictionary, messages and timers in any order.

Every decision is taken twice, once on the smallest slice (loaded on demand, as the services do) and once on the whole
instance; both must be the same.
"""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from workflows_app.engine.commands import ClearTimers, Dispatch, SetTimer, TellToStop, TimerKind, Withdraw
from workflows_app.engine.definition import Definition
from workflows_app.engine.events import Event
from workflows_app.engine.fold import State
from workflows_app.engine.graph import Graph
from workflows_app.engine.snapshot import NOT_LOADED, InstanceSnapshot
from workflows_app.engine.states import INSTANCE_ENDED, INSTANCE_TRANSITIONS, STEP_TRANSITIONS, Role, StepState
from workflows_app.engine.transitions import (
    AttemptFailed,
    AttemptLost,
    AttemptSucceeded,
    AttemptTimedOut,
    Cancel,
    Decision,
    Occurrence,
    Slice,
    SliceMiss,
    StaleOccurrence,
    Start,
    StepClaimed,
    TimerFired,
    decide,
)


class Simulator:
    """Runs one instance.

    Args:
        definition: a sound definition.
        seed: decides the order of everything and every outcome.
        trouble: probability that an attempt does not succeed.
    """

    def __init__(self, definition: Definition, seed: int, *, trouble: float = 0.3, cancel: bool = False) -> None:
        self.graph = Graph(definition)
        self.random = random.Random(seed)
        self.trouble = trouble
        self.cancels = cancel
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.state = State(
            self.graph, InstanceSnapshot(id="i", workflow=definition.name, version=definition.version), {}
        )
        self.events: list[Event] = []
        self.dispatches: dict[str, Dispatch] = {}
        self.timers: dict[tuple[str, TimerKind], datetime] = {}
        self.told: set[str] = set()

    @property
    def ended(self) -> bool:
        return self.state.instance.state in INSTANCE_ENDED

    def start(self) -> None:
        self.state.instance = replace(self.state.instance, input={})
        self._take(Start(input={}, correlation_id="c", actor="ada"), None)

    def run(self, *, limit: int = 5000) -> None:
        """Do one possible thing after the other until the instance ends."""
        self.start()
        for _ in range(limit):
            if self.ended:
                return
            self._do_something()
        raise AssertionError(f"no end after {limit} occurrences: {self.state.instance}")

    def running(self) -> list[str]:
        return sorted(path for path, step in self.state.steps.items() if step.attempt is not None)

    def _do_something(self) -> None:
        choices = [("claim", path) for path in sorted(self.dispatches)]
        choices += [("end", path) for path in self.running()]
        if self.timers:
            choices.append(("timer", ""))
        if self.cancels and self.state.instance.ending is None:
            choices.append(("cancel", ""))
        assert choices, f"nothing can ever happen again: {self.state.instance}, {self.state.steps}"
        act, path = self.random.choice(choices)
        if act == "claim":
            del self.dispatches[path]
            self._take(StepClaimed(step=path, worker="w"), path)
        elif act == "end":
            self._end(path)
        elif act == "timer":
            key = min(self.timers, key=lambda k: (self.timers[k], k))
            self.now = max(self.now, self.timers.pop(key))
            self._try(TimerFired(step=key[0], kind=key[1]), key[0] or None)
        else:
            self.cancels = False
            compensate = self.random.choice([None, True, False])
            self._take(Cancel(actor="ada", compensate=compensate), None)

    def _end(self, path: str) -> None:
        step = self.state.steps[path]
        assert step.attempt is not None
        number = step.attempt
        parameters = step.input if step.role is Role.ACTION else step.undo_input
        node = self.graph[path]
        always_fails = step.role is Role.ACTION and getattr(node.step.body, "activity", "") == "core.fail"
        occurrence: Occurrence
        if not always_fails and self.random.random() >= self.trouble:
            occurrence = AttemptSucceeded(step=path, number=number, output=parameters)
        else:
            error = {"code": "BOOM", "message": "no", "details": {}, "recoverable": self.random.random() < 0.9}
            occurrence = self.random.choice(
                [
                    AttemptFailed(step=path, number=number, error=error, jitter=self.random.random()),
                    AttemptFailed(step=path, number=number, error={**error, "details": {"effect": "unknown"}}),
                    AttemptFailed(
                        step=path, number=number, error={**error, "code": "CANCELLED"}, told=path in self.told
                    ),
                    AttemptTimedOut(step=path, number=number, seconds=60.0),
                    AttemptLost(step=path, number=number),
                ]
            )
        self.now += timedelta(milliseconds=self.random.randint(1, 1000))
        self._take(occurrence, path)

    def _try(self, occurrence: Occurrence, about: str | None) -> None:
        with suppress(StaleOccurrence):
            self._take(occurrence, about)

    def _take(self, occurrence: Occurrence, about: str | None) -> None:
        decision = self._decide_on_demand(occurrence, about)
        whole = decide(self._slice(set(), set(), True, True), occurrence, now=self.now)
        assert decision.events == whole.events
        assert decision.commands == whole.commands
        for event in decision.events:
            self._apply(event)
        self.events.extend(decision.events)
        self._obey(decision)

    def _apply(self, event: Event) -> None:
        """Fold one event in; every state it changes must follow an edge of the state tables."""
        instance, steps = self.state.instance.state, {p: s.state for p, s in self.state.steps.items()}
        self.state.apply(event)
        if (now := self.state.instance.state) is not instance:
            assert now in INSTANCE_TRANSITIONS[instance], (event, instance)
        for path, step in self.state.steps.items():
            before = steps.get(path, StepState.PENDING)
            assert step.state is before or step.state in STEP_TRANSITIONS[before], (event, before)

    def _decide_on_demand(self, occurrence: Occurrence, about: str | None) -> Decision:
        reach = self.graph.reach(about)
        paths, valued, whole, with_input = set(reach.paths), set(reach.values), False, reach.input
        for _ in range(len(self.graph.nodes) + 5):
            try:
                return decide(self._slice(paths, valued, whole, with_input), occurrence, now=self.now)
            except SliceMiss as miss:
                paths |= miss.paths | miss.values
                valued |= miss.values
                whole, with_input = whole or miss.whole, with_input or miss.input
        raise AssertionError("the slice never suffices")

    def _slice(self, paths: set[str], valued: set[str], whole: bool, with_input: bool) -> Slice:
        known = paths | valued
        everything = whole and not valued and not paths
        hidden = {"input": NOT_LOADED, "output": NOT_LOADED, "undo_input": NOT_LOADED}
        steps = {
            path: step if everything or path in valued else replace(step, **hidden)
            for path, step in self.state.steps.items()
            if whole or path in known
        }
        instance = self.state.instance if with_input else replace(self.state.instance, input=NOT_LOADED)
        return Slice(
            graph=self.graph,
            instance=instance,
            steps=steps,
            known=frozenset(known),
            valued=frozenset(valued),
            whole=whole,
        )

    def _obey(self, decision: Decision) -> None:
        for command in decision.commands:
            match command:
                case Dispatch():
                    assert command.step not in self.dispatches
                    self.dispatches[command.step] = command
                case Withdraw():
                    self.dispatches.pop(command.step, None)
                case SetTimer():
                    self.timers[command.step, command.kind] = command.due_at
                case ClearTimers():
                    self.timers = {k: due for k, due in self.timers.items() if k[0] != command.step}
                case TellToStop():
                    self.told.add(command.step)
