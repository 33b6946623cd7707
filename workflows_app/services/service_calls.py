"""Calls of services: each asks the database before it leaves, and says afterwards how the service does."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import DatabaseError, InterfaceError, connection
from django.db.transaction import atomic

from workflows_app.engine.errors import ActivityError
from workflows_app.engine.service_document import Operation, Service

log = logging.getLogger(__name__)

PROBE_GRACE = 5.0
"""How many seconds longer than its own time a probe may take until another one tries."""
FULL_SECONDS = 1.0
"""When a call that found no place may ask again: a place is free as soon as another call is over."""


class Outcome(StrEnum):
    """What a call says of the service, whatever it means for the step."""

    ANSWERED = "answered"
    FAILED = "failed"
    NONE = "none"


@dataclass(slots=True)
class Verdict:
    """What the caller found out: nothing, as long as it says nothing; ``cause`` is shown to operators."""

    outcome: Outcome = Outcome.NONE
    cause: str = ""


@contextmanager
def admitted(
    *, service: Service, operation: Operation, instance_id: UUID, path: str, number: int, seconds: float
) -> Iterator[Verdict]:
    """Let one call out, if the breaker of the operation and the bulkhead of the service allow it.

    Args:
        instance_id, path, number: the attempt that calls; its place is free when it is over.
        seconds: how long the call may take.

    Raises:
        ActivityError: CIRCUIT_OPEN, BULKHEAD_FULL: nothing was sent; ``details.retry_after`` says how many seconds
            the next attempt had better wait.
    """
    attempt = [instance_id, path, number]
    token = _enter(service, operation, attempt, seconds)
    verdict = Verdict()
    try:
        yield verdict
    finally:
        _leave(service, operation, attempt, token, verdict)


def _enter(service: Service, operation: Operation, attempt: list[Any], seconds: float) -> UUID | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT refused, retry_after, token FROM wf_service_enter(%s, %s, %s, %s, %s, %s, %s)",
            [service.name, operation.name, service.limit, *attempt, seconds + PROBE_GRACE],
        )
        refused, retry_after, token = cursor.fetchone()
    if refused is None:
        return None if token is None else UUID(str(token))
    called = f"{service.name}.{operation.name}"
    if refused == "BULKHEAD_FULL":
        retry_after, message = FULL_SECONDS, f"{service.name} has {service.limit} calls under way, as many as it may."
    else:
        message = f"The breaker of {called} is open: calls have failed, or an operator opened it."
    # Of a breaker that an operator opened nobody knows how long; its own time is as good a guess as any.
    rest = service.open_for if retry_after is None else retry_after
    raise ActivityError(message, code=refused, details={"status": 0, "retry_after": max(0.001, round(rest, 3))})


def _leave(service: Service, operation: Operation, attempt: list[Any], token: UUID | None, verdict: Verdict) -> None:
    """Report; an outage costs a report, never the call: the place goes with the attempt, the probe with its time."""
    try:
        # A savepoint where the activity has a transaction open, so that a failure here does not break it.
        with atomic() if connection.in_atomic_block else nullcontext(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT wf_service_leave(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                [
                    service.name,
                    operation.name,
                    token,
                    verdict.outcome.value,
                    verdict.cause[:500],
                    service.failures,
                    service.open_for,
                    service.limit is not None,
                    *attempt,
                ],
            )
            (taken,) = cursor.fetchone()
    except (DatabaseError, InterfaceError) as problem:
        log.warning("the call of %s.%s cannot be reported: %s", service.name, operation.name, problem)
        if not connection.in_atomic_block:
            connection.close()
        return
    if taken is not None:
        log.warning("the breaker of %s.%s is %s now: %s", service.name, operation.name, taken, verdict.cause)
