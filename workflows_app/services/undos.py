"""Undos that failed: an operator has one run again, says that it was done by hand, or that nobody is going to do it."""

from __future__ import annotations

from uuid import UUID

from workflows_app.engine.errors import InputInvalid, Problem
from workflows_app.engine.transitions import RetryUndo, SkipUndo, UndoDone
from workflows_app.models import Instance
from workflows_app.services import interventions


def retry(*, instance_id: UUID, step: str, actor: str, reason: str = "") -> Instance:
    """Let an undo that failed run again, with its parameters, its idempotency key and as many attempts as at first.

    Args:
        step: its path.

    Raises:
        NotFound: no such instance, or STEP_NOT_FOUND.
        StateForbids: its undo has not failed, or somebody else has to see to it; the message says who.
    """
    occurrence = RetryUndo(step=step, actor=actor, reason=reason)
    return interventions.take(instance_id, occurrence, "step.undo_retried", step=step)


def skip(*, instance_id: UUID, step: str, actor: str, reason: str) -> Instance:
    """Record that nobody is going to undo a step; the instance stays ``compensation_failed``.

    Raises:
        NotFound, StateForbids: as for ``retry``.
        InputInvalid: REASON_MISSING.
    """
    _require(reason)
    occurrence = SkipUndo(step=step, actor=actor, reason=reason)
    return interventions.take(instance_id, occurrence, "step.undo_skipped", step=step)


def done(*, instance_id: UUID, step: str, actor: str, reason: str) -> Instance:
    """Record that a step was undone by hand; with the last one that failed the instance is ``compensated``.

    Raises:
        NotFound, StateForbids: as for ``retry``.
        InputInvalid: REASON_MISSING.
    """
    _require(reason)
    occurrence = UndoDone(step=step, actor=actor, reason=reason)
    return interventions.take(instance_id, occurrence, "step.undone_by_hand", step=step)


def _require(reason: str) -> None:
    if not reason.strip():
        message = "say why: the history keeps it as the only evidence"
        problem = Problem(code="REASON_MISSING", path="reason", message=message)
        raise InputInvalid(message, code="REASON_MISSING", problems=[problem])
