"""What an activity may know about the attempt that performs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from workflows_app.activities.afterwards import Afterwards
from workflows_app.activities.artifacts import Artifacts, NoArtifacts
from workflows_app.activities.checkpoints import Checkpoint, OwnCheckpoint
from workflows_app.activities.effects import Effects, NoLedger
from workflows_app.activities.logger import logger_of
from workflows_app.activities.progress import MESSAGE_LENGTH, Progress
from workflows_app.engine.errors import AttemptCancelled


def never() -> bool:
    """The stop request of an attempt that nobody can stop."""
    return False


def unheard(progress: Progress) -> None:
    """Where nobody listens to how far an attempt is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityContext:
    """One attempt, as seen from inside it.

    Args:
        instance_id: the workflow instance.
        workflow: name of its definition.
        version: version of its definition.
        correlation_id: the key that business events carry.
        step: path of the step (``each[3].square``).
        attempt: number of the attempt, from 1.
        idempotency_key: the same for all attempts of the step; hand it to every external call.
        role: ``action``, or ``compensation`` for an undo.
        deadline_seconds: time-out of the attempt in seconds, ``None`` without one.
        stop_requested: says whether the attempt should give way (cancelled, timed out, worker leaving).
        afterwards: takes what is to be done once the result is committed, or is known never to be.
        checkpoint: keeps a value for the next attempt of the step.
        report: takes how far the attempt is; see ``heartbeat``.
        effects: records what the attempt does outside.
        artifacts: keeps what is too large or too binary for a result, and reads it by reference.
    """

    instance_id: str
    workflow: str
    version: str
    correlation_id: str | None
    step: str
    attempt: int
    idempotency_key: str
    role: str = "action"
    deadline_seconds: float | None = None
    stop_requested: Callable[[], bool] = never
    afterwards: Afterwards = field(default_factory=Afterwards, repr=False)
    checkpoint: Checkpoint = field(default_factory=OwnCheckpoint, repr=False)
    report: Callable[[Progress], None] = unheard
    effects: Effects = field(default_factory=NoLedger, repr=False)
    artifacts: Artifacts = field(default_factory=NoArtifacts, repr=False)

    def should_stop(self) -> bool:
        """Whether the activity should stop at the next point where that is safe."""
        return bool(self.stop_requested())

    def heartbeat(self, done: float | None = None, total: float | None = None, message: str = "") -> None:
        """Say how far the attempt is, and give way to a stop request.

        Call it as often as you like: what was said last is shown to people, at most once a second.

        Args:
            done: units of work that are done.
            total: units that there are to be, if that is known.
            message: what it is doing, for people; the first 200 characters are kept.

        Raises:
            ValueError: a number that is not finite.
            AttemptCancelled: if the attempt should stop.
        """
        if not all(number is None or isfinite(number) for number in (done, total)):
            raise ValueError("done and total must be finite numbers")
        shown = "".join(c if c.isprintable() else " " for c in message[:MESSAGE_LENGTH])
        self.report(Progress(done=done, total=total, message=shown))
        self.check()

    def check(self) -> None:
        """Give way to a stop request.

        Raises:
            AttemptCancelled: if the attempt should stop.
        """
        if self.should_stop():
            raise AttemptCancelled(f"Attempt {self.attempt} of step {self.step} was told to stop.")

    @property
    def log(self) -> Any:
        """A logger of this attempt: ``log.info("booked", room=12)``, or as those of the standard library.

        What it is told is kept with the attempt, and goes to the worker's log with the names of instance and step.
        """
        return logger_of(
            instance_id=self.instance_id,
            workflow=self.workflow,
            version=self.version,
            correlation_id=self.correlation_id,
            step=self.step,
            attempt=self.attempt,
            role=self.role,
        )
