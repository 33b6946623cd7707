"""A whole installation in memory: the engine's decisions applied to a dictionary, messages and timers in any order.

Every decision is taken twice, once on the smallest slice (loaded on demand, as the services do) and once on the whole
instance; both must be the same.
"""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.unit.engine.transitions.operators import Operators
from tests.unit.engine.transitions.returning import returned
from tests.unit.engine.transitions.slices import Rows, Slices
from workflows_app.engine.commands import (
    ClearTimers,
    Dispatch,
    NoticeKind,
    Publish,
    SetTimer,
    StartChild,
    Subscribe,
    TellChild,
    TellToStop,
    TimerKind,
    Unsubscribe,
    Withdraw,
)
from workflows_app.engine.definition import Definition
from workflows_app.engine.events import Event
from workflows_app.engine.fold import State
from workflows_app.engine.graph import Graph
from workflows_app.engine.reopening import evidence
from workflows_app.engine.snapshot import InstanceSnapshot
from workflows_app.engine.states import (
    INSTANCE_ENDED,
    INSTANCE_TRANSITIONS,
    STEP_TRANSITIONS,
    Cause,
    InstanceState,
    Role,
    StepState,
)
from workflows_app.engine.transitions import (
    AttemptFailed,
    AttemptLost,
    AttemptSucceeded,
    AttemptTimedOut,
    Cancel,
    ChildEnded,
    Decision,
    EventArrived,
    Occurrence,
    Pause,
    Resume,
    Retry,
    StaleOccurrence,
    Start,
    StepClaimed,
    TimerFired,
    decide,
)

OTHER = {"other": {"version": "1.0.0", "input": None, "undoable": True}}
"""What a step may call."""
ENDS: dict[str, list[tuple[InstanceState, Cause | None]]] = {
    "running": [
        (InstanceState.FAILED, Cause.FAILURE),
        (InstanceState.FAILED, Cause.TIMED_OUT),
        (InstanceState.COMPENSATED, Cause.FAILURE),
        (InstanceState.COMPENSATION_FAILED, Cause.FAILURE),
        (InstanceState.CANCELLED, Cause.CANCELLED),
        (InstanceState.TERMINATED, Cause.OPERATOR),
    ],
    "told": [
        (InstanceState.CANCELLED, Cause.CANCELLED),
        (InstanceState.COMPENSATED, Cause.CANCELLED),
        (InstanceState.COMPENSATION_FAILED, Cause.CANCELLED),
        (InstanceState.FAILED, Cause.FAILURE),
    ],
    "undoing": [(InstanceState.COMPENSATION_FAILED, Cause.FAILURE), (InstanceState.TERMINATED, Cause.OPERATOR)],
}
"""How a called instance may end that does not end well, by what it is doing."""


class Simulator(Operators, Slices):
    """Runs one instance.

    Args:
        definition: a sound definition.
        seed: decides the order of everything and every outcome.
        trouble: probability that an attempt does not succeed.
        cancel: whether an operator cancels at some time.
        meddles: how often an operator skips a step, or ends a back-off.
        pauses: how often an operator pauses; each time the instance is resumed at some time.
        rewinds: how often an operator takes the instance back to a step, or has it run again from one.
        mends: how often somebody sees to an undo that failed: here, or in the instance that was called.

    ``decided`` has, for each decision, the sequence of its last event.
    """

    def __init__(
        self,
        definition: Definition,
        seed: int,
        *,
        trouble: float = 0.3,
        cancel: bool = False,
        pauses: int = 0,
        meddles: int = 0,
        mends: int = 0,
        rewinds: int = 0,
    ) -> None:
        self.graph = Graph(definition, calls=OTHER)
        self.random = random.Random(seed)
        self.trouble = trouble
        self.cancels = cancel
        self.pauses = pauses
        self.meddles = meddles
        self.mends = mends
        self.rewinds = rewinds
        self.edits = True
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.state = State(
            self.graph, InstanceSnapshot(id="i", workflow=definition.name, version=definition.version), {}
        )
        self.state.steps = self.rows = Rows()
        self.events: list[Event] = []
        self.decided: list[int] = []
        self.loaded: list[int] = []
        self.asked: list[int] = []
        self.dispatches: dict[str, Dispatch] = {}
        self.timers: dict[tuple[str, TimerKind], datetime] = {}
        self.told: set[str] = set()
        self.subscriptions: dict[str, Subscribe] = {}
        self.published: list[dict[str, Any]] = []
        self.consumed: dict[int, str] = {}
        self.seen: dict[str, int] = {}
        self.callers: dict[str, str] = {}
        self.children: dict[str, str] = {}
        self.left_below: dict[str, str] = {}

    @property
    def ended(self) -> bool:
        return self.state.instance.state in INSTANCE_ENDED

    @property
    def paused(self) -> bool:
        return self.state.instance.state is InstanceState.PAUSED

    def start(self) -> None:
        self.state.instance = replace(self.state.instance, input={})
        self.take(Start(input={}, correlation_id="c", actor="ada"), None)

    def run(self, *, limit: int = 5000, retries: int = 0) -> None:
        """Do one possible thing after the other until the instance ends; where it failed, retry it some times."""
        self.start()
        self.go_on(limit=limit, retries=retries)

    def go_on(self, *, limit: int = 5000, retries: int = 0) -> None:
        for _ in range(limit):
            if self.ended and self.mends and self.failed_undos():
                self._mend()
            elif self.rewinds and self.state.instance.state in (InstanceState.COMPLETED, InstanceState.FAILED):
                self._go_back()
            elif self.ended and (not retries or self.state.instance.state is not InstanceState.FAILED):
                return
            elif self.ended:
                retries -= 1
                assert not self.dispatches
                self.take(Retry(actor="ada", evidence=evidence(self.events)), None)
            else:
                self.do_something()
        raise AssertionError(f"no end after {limit} occurrences: {self.state.instance}")

    def running(self) -> list[str]:
        return sorted(path for path, step in self.state.steps.items() if step.attempt is not None)

    def do_something(self) -> None:
        choices = [("claim", path) for path in sorted(self.dispatches)]
        choices += [("end", path) for path in self.running()]
        choices += [("child", child) for child in sorted(self.children)]
        if self.timers:
            choices.append(("timer", ""))
        if (arrival := self.arrival()) is not None:
            choices.append(("arrive", arrival[0]))
        choices += [("signal", path) for path in sorted(self.subscriptions)]
        choices += [("choose", path) for path in self.open_sections()]
        going = self.state.instance.state in (InstanceState.RUNNING, InstanceState.PAUSED)
        if self.cancels and going and self.state.instance.ending is None:
            choices.append(("cancel", ""))
        if self.paused:
            assert not self.dispatches, "no worker gets anything of a paused instance"
            choices.append(("resume", ""))
            if self.rewinds:
                choices.append(("back", ""))
        elif self.pauses and self.state.instance.state is InstanceState.RUNNING and self.state.instance.ending is None:
            choices.append(("pause", ""))
        if self.mends and self.failed_undos():
            choices.append(("mend", ""))
        if self.meddles:
            choices.append(("meddle", ""))
        assert choices, f"nothing can ever happen again: {self.state.instance}, {self.state.steps}"
        act, path = self.random.choice(choices)
        if act == "claim":
            del self.dispatches[path]
            self.take(StepClaimed(step=path, worker="w"), path)
        elif act == "end":
            self._end(path)
        elif act == "arrive":
            assert arrival is not None
            self._arrive(*arrival)
        elif act == "signal":
            self._signal(self.subscriptions[path])
        elif act == "child":
            self._end_child(path)
        elif act == "choose":
            self._choose(path)
        elif act == "timer":
            key = min(self.timers, key=lambda k: (self.timers[k], k))
            self.now = max(self.now, self.timers.pop(key))
            self._try(TimerFired(step=key[0], kind=key[1]), key[0] or None)
        elif act == "pause":
            self.pauses -= 1
            self.take(Pause(actor="ada", reason="lunch"), None)
        elif act == "meddle":
            self._meddle()
        elif act == "mend":
            self._mend()
        elif act == "back":
            self._go_back()
        elif act == "resume":
            self.take(Resume(actor="ada"), None)
        else:
            self.cancels = False
            compensate = self.random.choice([None, True, False])
            self.take(Cancel(actor="ada", compensate=compensate), None)

    def arrival(self) -> tuple[str, dict[str, Any]] | None:
        """The oldest event that a step waits for and has not looked at; of several steps the one that waits longest."""
        for event in self.published:
            for path, wanted in self.subscriptions.items():
                fits = event["type"] == wanted.event and event["correlate"] in (None, wanted.key)
                if fits and event["id"] not in self.consumed and event["id"] > self.seen.get(path, 0):
                    return path, event
        return None

    def _arrive(self, path: str, event: dict[str, Any]) -> None:
        length = len(self.events)
        self.take(EventArrived(step=path, event=event), path)
        if len(self.events) > length:
            self.consumed[event["id"]] = path
        else:
            self.seen[path] = event["id"]

    def _signal(self, wanted: Subscribe) -> None:
        """Let an event come from outside: a signal, or one with the key that is waited for or with another."""
        key = self.random.choice([None, wanted.key, wanted.key, "other"])
        self._publish(wanted.event, key, self.random.choice([{"ok": True}, {"ok": True}, {"ok": False}, None]))

    def _publish(self, event: str, key: str | None, data: Any) -> None:
        facts = {"type": event, "correlate": key, "data": data, "at": self.now.isoformat(), "source": {}}
        self.published.append({"id": len(self.published) + 1, **facts})

    def _end(self, path: str) -> None:
        step = self.state.steps[path]
        assert step.attempt is not None
        number = step.attempt
        parameters = step.input if step.role is Role.ACTION else step.undo_input
        node = self.graph[path]
        always_fails = step.role is Role.ACTION and getattr(node.step.body, "activity", "") == "core.fail"
        occurrence: Occurrence
        if not always_fails and self.random.random() >= self.trouble:
            output, passed = parameters, None
            if step.role is Role.ACTION:
                output, passed = returned(self.graph, node, parameters)
            occurrence = AttemptSucceeded(step=path, number=number, output=output, passed=passed)
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
        self.take(occurrence, path)

    def _end_child(self, child: str) -> None:
        """Let an instance that a step called end; a second notice of the same end changes nothing."""
        doing = self.children.pop(child)
        well = InstanceState.COMPENSATED if doing == "undoing" else InstanceState.COMPLETED
        state, cause = well, Cause.FAILURE if doing == "undoing" else None
        if self.random.random() < (0.7 if doing == "told" else self.trouble):
            state, cause = self.random.choice(ENDS[doing])
        path = self.callers[child]
        error = None if cause is None else {"code": "BELOW", "message": "no", "details": {}, "recoverable": False}
        end = ChildEnded(step=path, child=child, state=state, cause=cause, output={"of": path}, error=error)
        self.now += timedelta(milliseconds=self.random.randint(1, 1000))
        self.take(end, path)
        if doing == "undoing" and state is InstanceState.COMPENSATION_FAILED:
            self.left_below[path] = child
        if child not in self.children:
            before = len(self.events)
            self._try(end, path)
            assert len(self.events) == before

    def _try(self, occurrence: Occurrence, about: str | None) -> None:
        with suppress(StaleOccurrence):
            self.take(occurrence, about)

    def take(self, occurrence: Occurrence, about: str | None) -> None:
        decision = self._decide_on_demand(occurrence, about)
        whole = decide(self.everything(), occurrence, now=self.now)
        assert decision.events == whole.events
        assert decision.commands == whole.commands
        for event in decision.events:
            self._apply(event)
        self.events.extend(decision.events)
        self.decided.append(len(self.events))
        self.loaded.append(len(decision.before.steps))
        self._obey(decision)

    def _apply(self, event: Event) -> None:
        """Fold one event in; every state it changes must follow an edge of the state tables."""
        instance = self.state.instance.state
        self.rows.before.clear()
        self.state.apply(event)
        if (now := self.state.instance.state) is not instance:
            assert now in INSTANCE_TRANSITIONS[instance], (event, instance)
        for path, row in self.rows.before.items():
            before, after = StepState.PENDING if row is None else row.state, self.rows[path].state
            assert after is before or after in STEP_TRANSITIONS[before], (event, before)

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
                case Subscribe():
                    assert command.step not in self.subscriptions
                    self.subscriptions[command.step] = command
                case Unsubscribe():
                    del self.subscriptions[command.step]
                case Publish():
                    self._publish(command.event, command.key, command.data)
                case TellToStop():
                    self.told.add(command.step)
                case StartChild():
                    assert command.child not in self.callers
                    self.callers[command.child] = command.step
                    if command.awaited:
                        self.children[command.child] = "running"
                case TellChild(kind=NoticeKind.STOP):
                    assert self.children[command.child] == "running", "it is told once"
                    self.children[command.child] = "told"
                case TellChild(kind=NoticeKind.UNDO):
                    assert command.child not in self.children, "it has ended"
                    self.children[command.child] = "undoing"
                case TellChild():
                    del self.children[command.child]
