"""The plain loop: every dispatch in its order, one after the other; no message, no canvas."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.unit.engine.transitions.simulator import Simulator
from workflows_app.engine.states import STEP_OPEN, Role
from workflows_app.engine.transitions import AttemptFailed, AttemptSucceeded, StepClaimed, TimerFired


class Interpreter(Simulator):
    """Runs one instance to its end; timers fire when nothing else is left to do."""

    def run(self, *, limit: int = 20_000) -> None:
        self.start()
        for _ in range(limit):
            if self.ended:
                return
            if self.dispatches:
                path = next(iter(self.dispatches))
                del self.dispatches[path]
                self.take(StepClaimed(step=path, worker="w"), path)
                settle(self, path)
            else:
                key = min(self.timers, key=lambda k: (self.timers[k], k))
                self.now = max(self.now, self.timers.pop(key))
                self._try(TimerFired(step=key[0], kind=key[1]), key[0] or None)
        raise AssertionError(f"no end after {limit} occurrences: {self.state.instance}")


def settle(simulator: Simulator, path: str) -> None:
    """End a running attempt as its step alone decides: ``core.fail`` fails, everything else returns its parameters."""
    step = simulator.state.steps[path]
    assert step.attempt is not None
    simulator.now += timedelta(milliseconds=simulator.random.randint(1, 1000))
    if step.role is Role.ACTION and getattr(simulator.graph[path].step.body, "activity", "") == "core.fail":
        error = {"code": "BOOM", "message": "no", "details": {}, "recoverable": True}
        simulator.take(AttemptFailed(step=path, number=step.attempt, error=error), path)
    else:
        simulator.take(AttemptSucceeded(step=path, number=step.attempt, output=step.input), path)


def outcome(simulator: Simulator) -> dict[str, Any]:
    """What an instance came to: its end and output, and each step's state, output and error."""
    instance = simulator.state.instance
    assert not any(step.state in STEP_OPEN for step in simulator.state.steps.values())
    return {
        "state": instance.state,
        "cause": instance.cause,
        "output": instance.output,
        "error": instance.error,
        "steps": {
            path: (step.state, step.output, step.error, step.input)
            for path, step in sorted(simulator.state.steps.items())
        },
    }
