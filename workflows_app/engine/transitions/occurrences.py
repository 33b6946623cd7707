"""Occurrences: what the shell reports to the engine. Each leads to one decision, and to the events that record it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from workflows_app.engine.commands import TimerKind
from workflows_app.engine.graph import Graph
from workflows_app.engine.passing import Passed
from workflows_app.engine.reopening import Evidence
from workflows_app.engine.states import Cause, InstanceState


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInstance:
    """What an instance is given at its start.

    Args:
        input: meets the definition's schema.
        correlation_id: groups instances and matches events.
        actor: who starts it.
        tags: beside those of its definition.
        overrides: as ``overrides.read`` returns them; ``None`` where nothing is overridden.
    """

    input: Any
    correlation_id: str
    actor: str
    tags: tuple[str, ...] = ()
    overrides: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Start(NewInstance):
    """A new instance begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStart(NewInstance):
    """A new instance is to begin later.

    Args:
        at: when.
    """

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept(NewInstance):
    """An instance has to wait for one of the ``limit`` slots of its concurrency key.

    What one is given that was created before, by its plan or by its caller, is known already and not looked at.
    """

    key: str
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotGranted:
    """A pending instance got a slot of its concurrency key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """An instance that another one's step called begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepClaimed:
    """A worker took the step's dispatch; the hot path decides this in the database, with the same answer."""

    step: str
    worker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSucceeded:
    """The running attempt returned ``output`` (JSON); ``passed`` where that has a large value that it was given."""

    step: str
    number: int
    output: Any
    passed: Passed | None = None


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
class EventArrived:
    """A published event, or a signal, that a waiting step asked for.

    Args:
        step: the path of the step.
        event: ``{id, type, correlate, data, at, source}``; ``correlate`` is null in a signal.
    """

    step: str
    event: Mapping[str, Any]


class Act(StrEnum):
    """What a person does with a member of an ad-hoc section: begin it, put it on the plan, take it off the plan."""

    PICK = "pick"
    ADD = "add"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberChosen:
    """A person chose a member of an ad-hoc section.

    Args:
        section: path of the section.
        member: id of the step.
        act: what is to become of it.
        person: user name.
        groups: the groups that the person is in.
        data: JSON that the step reads as ``item.data``.
        reason: in the person's words.
    """

    section: str
    member: str
    act: Act
    person: str
    groups: frozenset[str] = frozenset()
    data: Any = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildEnded:
    """The instance that a step called came to an end, the first time or by its undo.

    Args:
        step: path of the call.
        child: the instance's id.
        state: how it ended.
        cause: why, if it did not complete.
        output: what it completed with.
        error: what it failed with.
    """

    step: str
    child: str
    state: InstanceState
    cause: Cause | None = None
    output: Any = None
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compensate:
    """The instance that called this one undoes what it did: what completed here is compensated."""

    actor: str
    cause: Cause
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """An operator, or the caller's end, cancels; ``compensate`` overrides ``on_cancel`` where it is not ``None``."""

    actor: str
    reason: str = ""
    compensate: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminate:
    """An operator, or the caller's end, ends the instance at once, without waiting and without undo."""

    actor: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """An operator lets running attempts finish and nothing new start."""

    actor: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """An operator lets a paused instance go on, with new values of some of its variables."""

    actor: str
    reason: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeVariables:
    """An operator gives variables of a paused instance new values."""

    actor: str
    variables: Mapping[str, Any]
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeTags:
    """An operator adds tags to an instance, or takes some away."""

    actor: str
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrate:
    """An operator lets an instance go on by another version of its workflow.

    Args:
        graph: that of the version, with the instance's overrides.
        renames: what steps are called there, by their id so far, where that differs.
        evidence: what its history tells about its failure.
        used: names outside of iterations under which attempts were made, or other instances called.
        overrides: those of the instance from then on, where they change.
    """

    graph: Graph
    actor: str
    evidence: Evidence
    used: frozenset[str]
    renames: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, Any] | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNow:
    """An operator ends the back-off of a step."""

    step: str
    actor: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """An operator skips a step that has not run."""

    step: str
    actor: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """An operator lets a failed instance go on; ``evidence`` is what its history tells about the failure."""

    actor: str
    evidence: Evidence
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewind:
    """An operator takes an instance back to a step.

    Args:
        step: path of the step.
        including: whether the step itself is taken back as well, not only what depends on it.
        resume: whether the instance goes on then; otherwise it is paused.
        evidence: what its history tells about its failure.
        parameters: what the step is to run with, instead of what its ``with`` comes to.
        variables: new values that its variables have once it stands there.
    """

    step: str
    including: bool
    resume: bool
    actor: str
    evidence: Evidence
    reason: str = ""
    parameters: Mapping[str, Any] | None = None
    variables: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryUndo:
    """An operator has an undo that failed run again."""

    step: str
    actor: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipUndo:
    """An operator says that nobody is going to undo a step whose undo failed."""

    step: str
    actor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoDone:
    """An operator says that a step whose undo failed was undone by hand."""

    step: str
    actor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReceived:
    """Somebody sends an event to a state machine.

    ``data`` is JSON; ``expected`` is the number of events of the instance's history that the sender knows, if it is to
    be held against what there is.
    """

    event: str
    actor: str
    data: Any = None
    expected: int | None = None


Occurrence = (
    Start
    | PlanStart
    | Accept
    | SlotGranted
    | Begin
    | StepClaimed
    | AttemptSucceeded
    | AttemptFailed
    | AttemptPostponed
    | AttemptTimedOut
    | AttemptLost
    | TimerFired
    | EventArrived
    | MemberChosen
    | ChildEnded
    | Compensate
    | Cancel
    | Terminate
    | Pause
    | Resume
    | ChangeVariables
    | ChangeTags
    | Migrate
    | RunNow
    | Skip
    | Retry
    | Rewind
    | RetryUndo
    | SkipUndo
    | UndoDone
    | EventReceived
)
