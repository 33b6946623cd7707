"""The state tables: one per machine; model choices, database constraints and diagrams derive from them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class InstanceState(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPENSATING = "compensating"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"
    COMPENSATED = "compensated"
    COMPENSATION_FAILED = "compensation_failed"


class StepState(StrEnum):
    PENDING = "pending"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    WAITING = "waiting"
    RETRYING = "retrying"
    COMPENSATING = "compensating"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    COMPENSATED = "compensated"
    COMPENSATION_FAILED = "compensation_failed"


class AttemptState(StrEnum):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    LOST = "lost"
    CANCELLED = "cancelled"


class Cause(StrEnum):
    """Why an instance left the straight road to ``completed``."""

    FAILURE = "failure"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    OPERATOR = "operator"


class Role(StrEnum):
    """What an attempt does: the step's own work, what stands in for it after it failed, or its undo."""

    ACTION = "action"
    FALLBACK = "fallback"
    COMPENSATION = "compensation"


class EffectState(StrEnum):
    """What is known of an effect outside: it is about to happen, it happened, it did not, or nobody knows."""

    PLANNED = "planned"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class BreakerState(StrEnum):
    """Whether calls of a service's operation go through: all of them, none, or one that tries."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


I = InstanceState  # noqa: E741 - the tables below are read as tables
S, A, E, B = StepState, AttemptState, EffectState, BreakerState

INSTANCE_TRANSITIONS: Mapping[InstanceState, frozenset[InstanceState]] = MappingProxyType(
    {
        I.PENDING: frozenset({I.RUNNING, I.CANCELLED, I.TERMINATED}),
        I.RUNNING: frozenset({I.PAUSED, I.COMPENSATING, I.COMPLETED, I.FAILED, I.CANCELLED, I.TERMINATED}),
        I.PAUSED: frozenset({I.RUNNING, I.COMPENSATING, I.TERMINATED}),
        I.COMPENSATING: frozenset(
            {I.PAUSED, I.COMPENSATED, I.COMPENSATION_FAILED, I.FAILED, I.CANCELLED, I.TERMINATED}
        ),
        I.COMPENSATION_FAILED: frozenset({I.COMPENSATING, I.COMPENSATED}),
        I.COMPLETED: frozenset({I.PAUSED, I.COMPENSATING}),
        I.FAILED: frozenset({I.RUNNING, I.PAUSED, I.COMPENSATING}),
        I.CANCELLED: frozenset(),
        I.TERMINATED: frozenset(),
        I.COMPENSATED: frozenset(),
    }
)

STEP_TRANSITIONS: Mapping[StepState, frozenset[StepState]] = MappingProxyType(
    {
        S.PENDING: frozenset({S.SCHEDULED, S.WAITING, S.COMPLETED, S.SKIPPED, S.CANCELLED, S.FAILED, S.TIMED_OUT}),
        S.SCHEDULED: frozenset({S.RUNNING, S.COMPLETED, S.SKIPPED, S.CANCELLED, S.TIMED_OUT, S.FAILED}),
        S.RUNNING: frozenset({S.SCHEDULED, S.COMPLETED, S.FAILED, S.RETRYING, S.CANCELLED, S.TIMED_OUT}),
        S.RETRYING: frozenset({S.SCHEDULED, S.COMPLETED, S.SKIPPED, S.CANCELLED, S.TIMED_OUT, S.FAILED}),
        S.WAITING: frozenset({S.COMPLETED, S.SKIPPED, S.FAILED, S.CANCELLED, S.TIMED_OUT}),
        S.COMPLETED: frozenset({S.COMPENSATING, S.PENDING}),
        S.FAILED: frozenset({S.COMPENSATING, S.PENDING, S.WAITING}),
        S.TIMED_OUT: frozenset({S.COMPENSATING, S.PENDING, S.WAITING}),
        S.CANCELLED: frozenset({S.COMPENSATING, S.PENDING, S.WAITING}),
        S.COMPENSATING: frozenset({S.COMPENSATED, S.COMPENSATION_FAILED}),
        S.COMPENSATION_FAILED: frozenset({S.COMPENSATING, S.COMPENSATED}),
        S.SKIPPED: frozenset({S.COMPENSATING, S.PENDING}),
        S.COMPENSATED: frozenset({S.PENDING}),
    }
)

ATTEMPT_TRANSITIONS: Mapping[AttemptState, frozenset[AttemptState]] = MappingProxyType(
    {
        A.RUNNING: frozenset({A.SUCCEEDED, A.FAILED, A.TIMED_OUT, A.LOST, A.CANCELLED}),
        A.SUCCEEDED: frozenset(),
        A.FAILED: frozenset(),
        A.TIMED_OUT: frozenset(),
        A.LOST: frozenset(),
        A.CANCELLED: frozenset(),
    }
)

EFFECT_TRANSITIONS: Mapping[EffectState, frozenset[EffectState]] = MappingProxyType(
    {
        E.PLANNED: frozenset({E.CONFIRMED, E.REFUSED, E.UNKNOWN}),
        E.CONFIRMED: frozenset(),
        E.REFUSED: frozenset(),
        E.UNKNOWN: frozenset(),
    }
)

BREAKER_TRANSITIONS: Mapping[BreakerState, frozenset[BreakerState]] = MappingProxyType(
    {
        B.CLOSED: frozenset({B.OPEN}),
        B.OPEN: frozenset({B.HALF_OPEN, B.CLOSED}),
        B.HALF_OPEN: frozenset({B.OPEN, B.CLOSED}),
    }
)

INSTANCE_ENDED = frozenset({I.COMPLETED, I.FAILED, I.CANCELLED, I.TERMINATED, I.COMPENSATED, I.COMPENSATION_FAILED})
STEP_OPEN = frozenset({S.PENDING, S.SCHEDULED, S.RUNNING, S.WAITING, S.RETRYING})
"""A step in one of these is not settled: its successors and its block still wait for it."""
