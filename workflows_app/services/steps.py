"""Steps as a worker sees them: claim one, keep its lease, report how the attempt ended."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction

from workflows_app.engine import values
from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.node import Node
from workflows_app.engine.states import AttemptState, Role
from workflows_app.engine.transitions import (
    AttemptFailed,
    AttemptPostponed,
    AttemptSucceeded,
    StaleOccurrence,
    effect_unknown,
)
from workflows_app.models import Attempt, numbers
from workflows_app.services import decisions, graphs

log = logging.getLogger(__name__)

RECONNECT_SECONDS = (0.2, 1.0, 2.0, 4.0)
"""Pauses before an outcome is reported again over a new connection; together shorter than a lease."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claimed step: what to perform, and the fencing token (instance, path, number) under which to report."""

    instance_id: UUID
    path: str
    number: int
    role: Role
    version_id: int
    workflow: str
    version: str
    correlation_id: str
    activity: str
    parameters: Any
    timeout: float
    worker: str

    @property
    def idempotency_key(self) -> str:
        """The key of every attempt of this step: instance, path, rerun number; an undo has its own."""
        key = f"{self.instance_id}:{self.path}:0"
        return f"{key}:undo" if self.role is Role.COMPENSATION else key


def claim(*, instance_id: UUID, path: str, generation: int, worker: str) -> Claim | None:
    """Take a dispatched step; of any number of identical messages one succeeds.

    Args:
        generation: the dispatch generation that the message names.
        worker: name of the claiming process, for people.

    Returns:
        ``None`` if there is nothing to claim: a duplicate, a stale or a made-up message.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT version_id, workflow, version, correlation_id, number, role, input, timeout "
            "FROM wf_claim(%s, %s, %s, %s, %s)",
            [instance_id, path, generation, worker, settings.ORCHESTRATOR_LEASE_SECONDS],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    graph = graphs.of_version(row[0])
    role = Role(row[5])
    return Claim(
        instance_id=instance_id,
        path=path,
        number=row[4],
        role=role,
        version_id=row[0],
        workflow=row[1],
        version=row[2],
        correlation_id=row[3],
        activity=graph.resolve(_activity(graph[path], role)),
        parameters={} if row[6] is None else numbers.loads(row[6]),
        timeout=row[7],
        worker=worker,
    )


def _activity(node: Node, role: Role) -> str:
    if role is Role.COMPENSATION:
        return node.step.compensate.activity if node.step.compensate else ""
    return str(getattr(node.step.body, "activity", ""))


def renew(*, instance_id: UUID, path: str, number: int) -> bool | None:
    """Extend the lease of a running attempt.

    Returns:
        Whether the attempt was told to stop; ``None`` if it is not running any more, so that its process should
        abandon it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT stop_requested FROM wf_renew(%s, %s, %s, %s)",
            [instance_id, path, number, settings.ORCHESTRATOR_LEASE_SECONDS],
        )
        row = cursor.fetchone()
    return None if row is None else bool(row[0])


def succeeded(*, claim: Claim, output: Any) -> bool:
    """Record the output of an attempt and what follows from it, in one transaction.

    A value that cannot be stored (too large, no JSON) fails the attempt with that reason instead.

    Returns:
        ``False`` if the attempt had been ended by somebody else: nothing was changed.
    """
    try:
        values.encode(output, limit_bytes=settings.ORCHESTRATOR_MAX_OUTPUT_BYTES, what="the step's output")
    except OrchestratorError as refused:
        # The work was done; only its result cannot be kept. If the instance fails over it, the work is undone.
        refused.details["effect"] = "unknown"
        return failed(claim=claim, error=_error(refused, recoverable=False))
    return _settle(claim, AttemptSucceeded(step=claim.path, number=claim.number, output=output))


def failed(*, claim: Claim, error: Mapping[str, Any], told: bool = False) -> bool:
    """Record why an attempt failed; the engine decides on another one.

    Args:
        error: ``{code, message, details, recoverable}``.
        told: the attempt stopped because it was told to.

    Returns:
        ``False`` if the attempt had been ended by somebody else: nothing was changed.
    """
    try:
        values.encode(dict(error), limit_bytes=settings.ORCHESTRATOR_MAX_OUTPUT_BYTES, what="the error")
    except OrchestratorError as refused:
        if effect_unknown(error):
            refused.details["effect"] = "unknown"
        error = _error(refused, recoverable=bool(error.get("recoverable", True)), code=str(error.get("code")))
    jitter = random.random()  # noqa: S311 - spreads retries, no secret
    return _settle(claim, AttemptFailed(step=claim.path, number=claim.number, error=error, jitter=jitter, told=told))


def postponed(*, claim: Claim, error: Mapping[str, Any], seconds: float) -> bool:
    """Give a claimed step back undone, with the reason; it is dispatched again after ``seconds``."""
    return _settle(claim, AttemptPostponed(step=claim.path, number=claim.number, error=error, seconds=seconds))


def _error(refused: OrchestratorError, *, recoverable: bool, code: str = "") -> dict[str, Any]:
    return {
        "code": code if code.isidentifier() else refused.code,
        "message": refused.message,
        "details": refused.details,
        "recoverable": recoverable,
    }


Outcome = AttemptSucceeded | AttemptFailed | AttemptPostponed


def _settle(claim: Claim, outcome: Outcome) -> bool:
    """Record an outcome, whatever it takes: the work is done, losing its outcome would do it again."""
    try:
        return _report_through_outages(claim, outcome)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        if isinstance(outcome, AttemptFailed):
            raise
        log.exception("the outcome of %s in %s cannot be recorded", claim.path, claim.instance_id)
        error = {
            "code": "INTERNAL_ERROR",
            "message": "the step ended, but what follows from it could not be recorded; the worker's log says why",
            "details": {"effect": "unknown"},
            "recoverable": False,
        }
        return _report_through_outages(claim, AttemptFailed(step=claim.path, number=claim.number, error=error))


def _report_through_outages(claim: Claim, outcome: Outcome) -> bool:
    """Report, and report again over a new connection while the lease lasts if the database drops this one."""
    uncertain = False
    for pause in (*RECONNECT_SECONDS, None):
        try:
            return _report(claim, outcome) or (uncertain and _was_recorded(claim, outcome))
        except (OperationalError, InterfaceError) as problem:
            if pause is None or connection.in_atomic_block:
                raise
            log.warning("the outcome of %s in %s is reported again: %s", claim.path, claim.instance_id, problem)
            uncertain = True
            connection.close()
            time.sleep(pause)
    return False


def _was_recorded(claim: Claim, outcome: Outcome) -> bool:
    """After a commit whose answer got lost: whether the attempt ended as reported."""
    expected = AttemptState.SUCCEEDED if isinstance(outcome, AttemptSucceeded) else AttemptState.FAILED
    attempts = Attempt.objects.filter(instance_id=claim.instance_id, path=claim.path, number=claim.number)
    return attempts.filter(state=expected).exists()


def _report(claim: Claim, outcome: Outcome) -> bool:
    try:
        decisions.take(
            instance_id=claim.instance_id,
            occurrence=outcome,
            about=claim.path,
            actor=f"worker:{claim.worker}",
            version_id=claim.version_id,
        )
    except StaleOccurrence:
        return False
    return True
