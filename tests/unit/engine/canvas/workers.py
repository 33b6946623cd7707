"""Workers and a broker in memory: messages carry canvases as Celery's do, in any order, twice, or not at all.

A message names its steps and carries the links that are left of its chain and what its chord releases. A worker claims
what it names, if there is a ticket for it; a step that settles yields dispatches. If Celery would send exactly these on
a normal return, the worker returns normally; otherwise they are compiled anew and the message ends there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.unit.engine.canvas.plain_loop import settle
from tests.unit.engine.transitions.simulator import Simulator
from workflows_app.engine import canvas
from workflows_app.engine.canvas import Chain, Chord, Group, Plan, Task, plans
from workflows_app.engine.commands import Dispatch, TimerKind
from workflows_app.engine.definition import Definition
from workflows_app.engine.node import LONG_AFTER
from workflows_app.engine.transitions import (
    AttemptLost,
    Cancel,
    StepClaimed,
    TimerFired,
)


@dataclass(frozen=True)
class After:
    """What is sent when a message returns normally: the next links of its chain, then what its chord releases."""

    links: tuple[Plan, ...] = ()
    body: Plan | None = None
    then: After | None = None


@dataclass(frozen=True)
class Message:
    task: Task
    after: After


@dataclass
class Run:
    """A message in the hands of a worker, with the step that it performs and those that it names further."""

    message: Message
    left: list[tuple[str, int]]
    path: str = ""
    queue: str = ""
    carried: bool = False


@dataclass
class Weather:
    """What goes wrong, as probabilities: messages lost and doubled, workers killed, dispatches held back."""

    lost: float = 0.0
    doubled: float = 0.0
    killed: float = 0.0
    held_back: float = 0.0


CALM = Weather()
STORM = Weather(lost=0.15, doubled=0.15, killed=0.15, held_back=0.1)


@dataclass
class Seen:
    """What a run was like: messages without a dispatch, dispatches without a message, forecasts that did not hold …"""

    useless: int = 0
    swept: int = 0
    mistaken: int = 0
    planned: int = 0
    chunks: int = 0
    chords: int = 0


class Workers(Simulator):
    """Runs one instance through canvases.

    Args:
        seed: decides the order of everything.
        fusing: whether plans fuse, and workers take over what follows.
        weather: what goes wrong.
        settled: outcomes depend on the step alone, so that every order leads to the same end; otherwise as the
            simulator draws them, with ``trouble``.
    """

    def __init__(
        self,
        definition: Definition,
        seed: int,
        *,
        fusing: bool,
        weather: Weather = CALM,
        settled: bool = True,
        trouble: float = 0.0,
        cancel: bool = False,
        limit_bytes: int = canvas.LIMIT_BYTES,
    ) -> None:
        super().__init__(definition, seed, trouble=trouble, cancel=cancel)
        self.fusing = fusing
        self.limit_bytes = limit_bytes
        self.weather = weather
        self.settled = settled
        self.broker: list[Message] = []
        self.runs: list[Run] = []
        self.seen = Seen()
        self.new: list[Dispatch] = []

    # ------------------------------------------------------------ Celery
    def _send(self, plan: Plan, after: After) -> None:
        match plan:
            case Task():
                self.seen.chunks += bool(plan.mates)
                self.broker.append(Message(plan, after))
            case Chain():
                self._send(plan.links[0], After((*plan.links[1:], *after.links), after.body, after.then))
            case Group():
                assert not after.links, "a group in the midst of a chain would be a chord"
                for member in plan.members:
                    self._send(member, after)
            case Chord():
                self.seen.chords += 1
                for member in plan.header:
                    self._send(member, After(body=plan.body, then=after))

    def _return(self, message: Message) -> None:
        """What Celery does when a task returns normally: it sends the next link, or its backend the chord's body."""
        after = message.after
        if after.links:
            self._send(after.links[0], After(after.links[1:], after.body, after.then))
        elif after.body is not None:
            assert after.then is not None
            self._send(after.body, after.then)

    def carries_on(self, message: Message, dispatches: list[Dispatch]) -> bool:
        """Whether a normal return sends exactly these dispatches."""
        ahead = message.after.links[:1] or ([message.after.body] if message.after.body else [])
        sent = [key for plan in ahead for task in plans.first(plan) for key in task.dispatches]
        return sorted(sent) == sorted((d.step, d.generation) for d in dispatches)

    # ------------------------------------------------------------ publishing
    def take(self, occurrence: Any, about: str | None) -> None:
        before = dict(self.dispatches)
        super().take(occurrence, about)
        self.new = [d for path, d in self.dispatches.items() if before.get(path) is not d]

    def _publish(self, dispatches: list[Dispatch]) -> None:
        plan = canvas.compile(self.graph, dispatches, fusing=self.fusing, limit_bytes=self.limit_bytes)
        if plan is None:
            return
        self.seen.planned += 1
        self._send(plan, After())

    def _published(self) -> list[Dispatch]:
        """Those of the new dispatches that the window lets out."""
        return [d for d in self.new if not self._chance(self.weather.held_back)]

    def _chance(self, probability: float) -> bool:
        return self.random.random() < probability

    # ------------------------------------------------------------ what happens
    def run(self, *, limit: int = 20_000) -> None:
        self.start()
        self._publish(self._published())
        for _ in range(limit):
            if self.ended:
                return
            self.do_something()
        raise AssertionError(f"no end after {limit} occurrences: {self.state.instance}")

    def do_something(self) -> None:
        acts = ["deliver"] * bool(self.broker) * 3 + ["end"] * bool(self.runs) * 3
        if self.cancels and self.state.instance.ending is None:
            acts.append("cancel")
        if self.timers and (not self.settled or not acts):
            acts.append("timer")
        if not self.broker and not self.runs and self.dispatches:
            acts.append("sweep")
        assert acts, f"nothing can ever happen again: {self.state.instance}, {self.state.steps}"
        match self.random.choice(acts):
            case "deliver":
                self._deliver(self.random.choice(self.broker))
            case "end":
                self._go_on(self.random.choice(self.runs))
            case "timer":
                self._fire()
            case "sweep":
                self.seen.swept += 1
                self._publish([d for d in self.dispatches.values() if self._chance(0.8)])
            case "cancel":
                self._cancel()

    def _deliver(self, message: Message) -> None:
        if not self._chance(self.weather.doubled):
            self.broker.remove(message)
        if self._chance(self.weather.lost):
            return
        run = Run(message, list(message.task.dispatches))
        self.runs.append(run)
        self._claim_next(run)
        if not run.path:
            self.seen.useless += 1

    def _claim_next(self, run: Run) -> None:
        """Claim the next step that the message names and that there is a ticket for; without any the run is over."""
        while run.left:
            path, generation = run.left.pop(0)
            ticket = self.dispatches.get(path)
            if ticket is not None and ticket.generation == generation:
                self._claim(run, ticket)
                return
        self.runs.remove(run)
        if run.carried:
            self._return(run.message)

    def _claim(self, run: Run, ticket: Dispatch) -> None:
        del self.dispatches[ticket.step]
        run.path, run.queue = ticket.step, ticket.queue
        self.take(StepClaimed(step=ticket.step, worker="w"), ticket.step)

    def _go_on(self, run: Run) -> None:
        """End the attempt in hand, or find that it was ended by somebody else."""
        step = self.state.step(run.path)
        if step.attempt is None:
            self.new = []
        elif self._chance(self.weather.killed) and step.losses < 3:
            self.take(AttemptLost(step=run.path, number=step.attempt), run.path)
            self.runs.remove(run)
            self.broker += [run.message] * self._chance(0.5)
            self._publish(self._published())
            return
        else:
            self._end(run.path)
        self._hand_on(run)

    def _hand_on(self, run: Run) -> None:
        """Take over what follows, let Celery send it, or send a plan."""
        run.carried = False
        ready = self._published()
        if self.fusing and len(ready) == 1 and self._light(run, ready[0]) and self._chance(0.8):
            self._claim(run, ready[0])
            return
        if not run.left and self.carries_on(run.message, ready):
            run.carried = True
        else:
            self.seen.mistaken += bool(ready) and run.message.after != After()
            self._publish(ready)
        self._claim_next(run)

    def _light(self, run: Run, ready: Dispatch) -> bool:
        alone = self.graph[run.path].alone or self.graph[ready.step].alone or ready.timeout > LONG_AFTER
        return not alone and ready.queue == run.queue

    def _end(self, path: str) -> None:
        if self.settled:
            settle(self, path)
        else:
            super()._end(path)

    def _fire(self) -> None:
        key = min(self.timers, key=lambda k: (self.timers[k], k))
        self.now = max(self.now, self.timers.pop(key))
        self.new = []
        self._try(TimerFired(step=key[0], kind=TimerKind(key[1])), key[0] or None)
        self._publish(self._published())

    def _cancel(self) -> None:
        self.cancels = False
        self.take(Cancel(actor="ada", compensate=self.random.choice([None, True, False])), None)
        self._publish(self._published())
