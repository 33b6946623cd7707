"""Commands: what a decision asks the shell to do beside recording its events. All of them are rows, none is a call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class TimerKind(StrEnum):
    """What a timer row wakes. An attempt's own time-out stands on the attempt, beside its lease."""

    WAIT = "wait"
    RETRY = "retry"
    DEADLINE = "deadline"
    JOIN = "join"
    REPEAT = "repeat"
    STATE = "state"
    INSTANCE = "instance"
    START = "start"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Remember:
    """Keep the step's output for other steps under an entry of the cache, for ``seconds``."""

    step: str
    activity: str
    key: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """Let a step wait for an event of this type and key, the oldest that is kept first; a signal needs no key."""

    step: str
    event: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribe:
    """End a step's waiting for an event."""

    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """Publish an event: it is kept, and everything that waits for its type and key gets it.

    Args:
        step: path of the step that publishes.
        event: its type.
        key: what it correlates by.
        data: JSON.
    """

    step: str
    event: str
    key: str
    data: Any


class NoticeKind(StrEnum):
    """What one instance tells another: a parent its child, and at the end the child its parent."""

    START = "start"
    STOP = "stop"
    TERMINATE = "terminate"
    UNDO = "undo"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartChild:
    """Create the instance that a call runs: pending, and to be started once this decision is committed.

    Args:
        step: path of the call.
        child: the new instance's id.
        workflow: its workflow.
        version: its version.
        input: its input, which meets its schema.
        depth: how many instances stand above it.
        awaited: whether the call waits for its end.
    """

    step: str
    child: str
    workflow: str
    version: str
    input: Any
    depth: int
    awaited: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TellChild:
    """Tell the instance that a call runs to stop, to end at once, or to undo what it completed.

    Args:
        child: the instance's id.
        kind: what it is told.
        data: why, and how.
    """

    child: str
    kind: NoticeKind
    data: Mapping[str, Any]


Command = (
    Dispatch
    | Withdraw
    | SetTimer
    | ClearTimers
    | TellToStop
    | Remember
    | Subscribe
    | Unsubscribe
    | Publish
    | StartChild
    | TellChild
)
