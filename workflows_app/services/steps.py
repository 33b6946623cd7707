"""Steps as a worker sees them: claim one, keep its lease, report how the attempt ended."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from workflows_app.engine import values
from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.node import Node
from workflows_app.engine.states import Role
from workflows_app.engine.transitions import AttemptFailed, AttemptPostponed, AttemptSucceeded, StaleOccurrence
from workflows_app.services import decisions, graphs


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
    node = graphs.of_version(row[0])[path]
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
        activity=_activity(node, role),
        parameters={} if row[6] is None else json.loads(row[6]),
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


def _settle(claim: Claim, occurrence: AttemptSucceeded | AttemptFailed | AttemptPostponed) -> bool:
    try:
        decisions.take(
            instance_id=claim.instance_id,
            occurrence=occurrence,
            about=claim.path,
            actor=f"worker:{claim.worker}",
            version_id=claim.version_id,
        )
    except StaleOccurrence:
        return False
    return True
