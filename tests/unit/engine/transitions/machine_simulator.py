"""A state machine in memory: events arrive at any moment, between attempts, time-outs, losses and a cancel."""

from __future__ import annotations

from typing import Any

from tests.strategies.machines import EVENTS
from tests.unit.engine.transitions.simulator import Simulator
from workflows_app.engine.commands import TimerKind
from workflows_app.engine.definition import Definition
from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.states import STEP_OPEN, StepState
from workflows_app.engine.transitions import EventReceived, Occurrence, StaleOccurrence, decide


class MachineSimulator(Simulator):
    """Runs one machine until its events are used up and nothing is left to do.

    Args:
        events: how many events arrive.

    ``answers`` says how they were answered, in order: ``accepted``, or the code of a refusal.
    """

    def __init__(
        self, definition: Definition, seed: int, *, events: int = 12, cancel: bool = False, pauses: int = 0
    ) -> None:
        super().__init__(definition, seed, cancel=cancel, pauses=pauses)
        self.left = events
        self.answers: list[str] = []

    def run(self, *, limit: int = 2000) -> None:
        self.start()
        for _ in range(limit):
            if self.ended or not self._step():
                return
            self._check()
        raise AssertionError(f"no rest after {limit} occurrences")

    def _step(self) -> bool:
        """Do one possible thing; ``False`` if only a time that lies far ahead is left to wait for."""
        if self.left and self.random.random() < 0.4:
            self.left -= 1
            self.send(self.random.choice(EVENTS), self.random.randint(0, 9))
            return True
        busy = self.dispatches or self.running() or self.cancels or self.pauses or self.paused
        near = {key: due for key, due in self.timers.items() if key[1] is TimerKind.RETRY}
        if busy or near or (self.timers and self.left):
            self.do_something()
            return True
        return bool(self.left)

    def send(self, event: str, data: Any = None, *, expected: int | None = None) -> None:
        """Send an event; a refusal changes nothing, and is the same whatever the slice."""
        occurrence = EventReceived(event=event, data=data, actor="ada", expected=expected)
        before = (self.state.instance, dict(self.state.steps))
        try:
            self.take(occurrence, "machine")
        except OrchestratorError as refusal:
            self.answers.append(refusal.code)
            unchanged = (self.state.instance, self.state.steps) == before
            same = self._refusal(occurrence) == (refusal.code, refusal.message)
        else:
            self.answers.append("accepted")
            return
        assert unchanged
        assert same

    def _refusal(self, occurrence: Occurrence) -> tuple[str, str]:
        try:
            decide(self._slice(set(), set(), True, True, complete=True), occurrence, now=self.now)
        except StaleOccurrence:
            raise
        except OrchestratorError as refusal:
            return refusal.code, refusal.message
        raise AssertionError("the whole state takes what the slice refused")

    def _check(self) -> None:
        """One transition at a time, and what is under way is what the instance says."""
        open_ = [
            path
            for path, step in self.state.steps.items()
            if path.endswith("]") and step.state in STEP_OPEN - {StepState.PENDING}
        ]
        current = self.state.instance.machine_transition
        assert open_ == ([] if current is None else [current])
        assert len(self.running()) <= 1
