"""Commands: what a decision asks the shell to do beside recording its events. All of them are rows, none is a call."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class TimerKind(StrEnum):
    """What a timer row wakes. An attempt's own time-out stands on the attempt, beside its lease."""

    WAIT = "wait"
    RETRY = "retry"
    DEADLINE = "deadline"
    INSTANCE = "instance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """Send a step to the workers.

    Args:
        step: path of the step.
        generation: dispatch generation; a claim must name it.
        queue: name of the queue.
        timeout: seconds that one attempt may take.
    """

    step: str
    generation: int
    queue: str
    timeout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """Take back the unclaimed dispatch of a step: its message, if one is out, claims nothing any more."""

    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTimer:
    """Wake the step (or, with an empty path, the instance) at ``due_at``."""

    step: str
    kind: TimerKind
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearTimers:
    """Remove the timers of a step (or, with an empty path, the instance's own)."""

    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TellToStop:
    """Tell the running attempt of a step that its result is no longer wanted; it may still finish."""

    step: str


Command = Dispatch | Withdraw | SetTimer | ClearTimers | TellToStop
