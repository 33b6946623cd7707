"""Events: what happened to an instance, in the past tense, each a fact that ``fold`` can apply again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class EventType(StrEnum):
    INSTANCE_CREATED = "instance.created"
    INSTANCE_PLANNED = "instance.planned"
    INSTANCE_ACCEPTED = "instance.accepted"
    INSTANCE_STARTED = "instance.started"
    INSTANCE_PAUSED = "instance.paused"
    INSTANCE_RESUMED = "instance.resumed"
    INSTANCE_VARIABLES_CHANGED = "instance.variables_changed"
    INSTANCE_TAGGED = "instance.tagged"
    INSTANCE_MIGRATED = "instance.migrated"
    INSTANCE_STOPPING = "instance.stopping"
    INSTANCE_COMPLETED = "instance.completed"
    INSTANCE_FAILED = "instance.failed"
    INSTANCE_CANCELLED = "instance.cancelled"
    INSTANCE_TERMINATED = "instance.terminated"
    INSTANCE_RETRIED = "instance.retried"
    INSTANCE_REWINDING = "instance.rewinding"
    INSTANCE_REWOUND = "instance.rewound"
    INSTANCE_COMPENSATING = "instance.compensating"
    INSTANCE_COMPENSATED = "instance.compensated"
    INSTANCE_COMPENSATION_FAILED = "instance.compensation_failed"
    STEP_SCHEDULED = "step.scheduled"
    STEP_STARTED = "step.started"
    STEP_JOINING = "step.joining"
    STEP_WAITING = "step.waiting"
    STEP_RETRYING = "step.retrying"
    STEP_HURRIED = "step.hurried"
    STEP_FALLING_BACK = "step.falling_back"
    STEP_STOPPING = "step.stopping"
    STEP_COMPLETED = "step.completed"
    STEP_FAILED = "step.failed"
    STEP_TIMED_OUT = "step.timed_out"
    STEP_SKIPPED = "step.skipped"
    STEP_CANCELLED = "step.cancelled"
    STEP_UNDOING = "step.undoing"
    STEP_COMPENSATING = "step.compensating"
    STEP_COMPENSATED = "step.compensated"
    STEP_COMPENSATION_FAILED = "step.compensation_failed"
    STEP_UNDO_UNNEEDED = "step.undo_unneeded"
    STEP_UNDO_RETRIED = "step.undo_retried"
    STEP_UNDO_SKIPPED = "step.undo_skipped"
    SECTION_ADDED = "section.added"
    SECTION_SKIPPED = "section.skipped"
    ATTEMPT_LOST = "attempt.lost"
    TIMER_HELD = "timer.held"
    MACHINE_EVENT_ACCEPTED = "machine.event_accepted"
    MACHINE_EVENT_REFUSED = "machine.event_refused"
    MACHINE_MOVED = "machine.moved"
    MACHINE_UNDOING = "machine.undoing"
    MACHINE_UNDONE = "machine.undone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One entry of an instance's history.

    Args:
        sequence: 1, 2, 3 … without a gap within the instance.
        type: what happened.
        step: the step's path, or empty for the instance itself.
        at: the database's time of the deciding transaction.
        data: the facts, JSON-like; what each type carries is listed in ``docs/history.md``.
        actor: who caused it: a user name, ``worker:<name>``, ``instance:<id>``, ``timer`` or ``engine``.
    """

    sequence: int
    type: EventType
    step: str
    at: datetime
    data: Mapping[str, Any] = field(default_factory=dict)
    actor: str = "engine"
