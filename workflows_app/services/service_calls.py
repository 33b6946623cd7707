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

from workflows_app.engine.errors import ActivityError, NotYet
from workflows_app.engine.retry import LONGEST_REST
from workflows_app.engine.service_document import Endpoint, Operation, Service
from workflows_app.engine.service_schema import Balance

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
class Admission:
    """One call that was let out, and what the caller found out by it: nothing, as long as it says nothing.

    ``endpoints`` are to be tried in this order, ``cause`` is shown to operators.
    """

    endpoints: list[Endpoint]
    outcome: Outcome = Outcome.NONE
    cause: str = ""
    token: UUID | None = None
    place: int | None = None


@contextmanager
def admitted(
    *,
    service: Service,
    operation: Operation,
    endpoints: list[Endpoint],
    instance_id: UUID,
    path: str,
    number: int,
    seconds: float,
    part: str = "",
) -> Iterator[Admission]:
    """Let one call out, if the breaker and the rate of the operation and the bulkhead of the service allow it.

    Args:
        endpoints: of the service, in the order in which they are tried; where the fewest calls under way decide, the
            order among those with equally many.
        instance_id, path, number: the attempt that calls; its place is free when it is over.
        seconds: how long the call may take.
        part: tells the calls of one attempt apart.

    Raises:
        NotYet: RATE_LIMITED: a turn is kept for the step, and nothing was sent.
        ActivityError: CIRCUIT_OPEN, BULKHEAD_FULL, or RATE_LIMITED where the row is too long for a turn: nothing was
            sent; ``details.retry_after`` says how many seconds the next attempt had better wait.
    """
    attempt = [instance_id, path, number, f"{path}>{part}" if part else path]
    admission = _enter(service, operation, endpoints, attempt, seconds)
    try:
        yield admission
    finally:
        _leave(service, operation, admission)


def _enter(
    service: Service, operation: Operation, endpoints: list[Endpoint], attempt: list[Any], seconds: float
) -> Admission:
    rate, counts = operation.rate, service.balance is Balance.LEAST_CONNECTIONS
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT refused, retry_after, token, place, tried FROM wf_service_admit("
            "%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                service.name,
                operation.name,
                *attempt,
                service.limit,
                rate.seconds if rate else None,
                rate.burst if rate else None,
                LONGEST_REST,
                [each.name for each in endpoints] if counts else None,
                [each.weight for each in endpoints] if counts else None,
                seconds + PROBE_GRACE,
            ],
        )
        refused, retry_after, token, place, tried = cursor.fetchone()
    if refused is None:
        by_name = {each.name: each for each in endpoints}
        return Admission(
            endpoints=[by_name[name] for name in tried] if tried else endpoints,
            token=None if token is None else UUID(str(token)),
            place=place,
        )
    called = f"{service.name}.{operation.name}"
    if refused == "RATE_LIMITED" and retry_after > 0:
        raise NotYet(
            f"{called} is called as often as it may be; the turn of this call comes.",
            code=refused,
            seconds=retry_after,
            details={"status": 0, "retry_after": round(retry_after, 3)},
        )
    if refused == "RATE_LIMITED":
        retry_after, message = -retry_after, f"So many calls of {called} wait that no turn is left within a day."
    elif refused == "BULKHEAD_FULL":
        retry_after, message = FULL_SECONDS, f"{service.name} has {service.limit} calls under way, as many as it may."
    else:
        message = f"The breaker of {called} is open: calls have failed, or an operator opened it."
    # Of a breaker that an operator opened nobody knows how long; its own time is as good a guess as any.
    rest = service.open_for if retry_after is None else retry_after
    raise ActivityError(message, code=refused, details={"status": 0, "retry_after": max(0.001, round(rest, 3))})


def _leave(service: Service, operation: Operation, admission: Admission) -> None:
    """Report; an outage costs a report, never the call: the place goes with the attempt, the probe with its time."""
    try:
        # A savepoint where the activity has a transaction open, so that a failure here does not break it.
        with atomic() if connection.in_atomic_block else nullcontext(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT wf_service_report(%s, %s, %s, %s, %s, %s, %s, %s)",
                [
                    service.name,
                    operation.name,
                    admission.token,
                    admission.outcome.value,
                    admission.cause[:500],
                    service.failures,
                    service.open_for,
                    admission.place,
                ],
            )
            (taken,) = cursor.fetchone()
    except (DatabaseError, InterfaceError) as problem:
        log.warning("the call of %s.%s cannot be reported: %s", service.name, operation.name, problem)
        if not connection.in_atomic_block:
            connection.close()
        return
    if taken is not None:
        log.warning("the breaker of %s.%s is %s now: %s", service.name, operation.name, taken, admission.cause)
