"""Occurrences: what the shell reports to the engine. Each leads to one decision, and to the events that record it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflows_app.engine.commands import TimerKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A new instance begins with a valid input."""

    input: Any
    correlation_id: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepClaimed:
    """A worker took the step's dispatch; the hot path decides this in the database, with the same answer."""

    step: str
    worker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSucceeded:
    """The running attempt returned ``output`` (JSON)."""

    step: str
    number: int
    output: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed:
    """The running attempt raised: ``error`` is ``{code, message, details, recoverable}``.

    ``jitter`` in [0, 1) was drawn by the shell. ``told`` says that the attempt stopped because it was told to.
    """

    step: str
    number: int
    error: Mapping[str, Any]
    jitter: float = 0.5
    told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptPostponed:
    """The worker could not begin the work and says why; the step looks for a worker again after ``seconds``."""

    step: str
    number: int
    error: Mapping[str, Any]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptTimedOut:
    """The running attempt exceeded its time-out."""

    step: str
    number: int
    seconds: float
    jitter: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLost:
    """The running attempt's lease expired: its process died or was cut off."""

    step: str
    number: int
    max_losses: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerFired:
    """A timer of the step (or, with an empty path, of the instance) is due."""

    step: str
    kind: TimerKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """An operator cancels; ``compensate`` overrides the definition's ``on_cancel`` where it is not ``None``."""

    actor: str
    reason: str = ""
    compensate: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminate:
    """An operator ends the instance at once, without waiting and without undo."""

    actor: str
    reason: str = ""


Occurrence = (
    Start
    | StepClaimed
    | AttemptSucceeded
    | AttemptFailed
    | AttemptPostponed
    | AttemptTimedOut
    | AttemptLost
    | TimerFired
    | Cancel
    | Terminate
)
