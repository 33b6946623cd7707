"""Steps as a worker sees them: claim one, keep its lease, report how the attempt ended, go on with the next."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from workflows_app import failpoints
from workflows_app.engine import stored, values
from workflows_app.engine.commands import Dispatch
from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.states import AttemptState
from workflows_app.engine.transitions import (
    AttemptFailed,
    AttemptPostponed,
    AttemptSucceeded,
    StaleOccurrence,
    effect_unknown,
)
from workflows_app.models import Attempt
from workflows_app.services import advancing, claims, decisions
from workflows_app.services.advancing import NotPlain
from workflows_app.services.claims import Claim, Onward, claim, renew

__all__ = ["Claim", "Onward", "claim", "failed", "is_recorded", "postponed", "renew", "succeeded"]

log = logging.getLogger(__name__)

RECONNECT_SECONDS = (0.2, 1.0, 2.0, 4.0)
"""Pauses before an outcome is reported again over a new connection; together shorter than a lease."""


def succeeded(*, claim: Claim, output: Any, onward: Onward | None = None) -> bool:
    """Record the output of an attempt and what follows from it, in one transaction.

    A value that cannot be stored (too large, no JSON) fails the attempt with that reason instead.

    Args:
        onward: what the worker can do itself about what follows.

    Returns:
        ``False`` if the attempt had been ended by somebody else: nothing was changed.
    """
    try:
        text = values.encode(output, limit_bytes=settings.ORCHESTRATOR_MAX_OUTPUT_BYTES, what="the step's output")
    except OrchestratorError as refused:
        # The work was done; only its result cannot be kept. If the instance fails over it, the work is undone.
        refused.details["effect"] = "unknown"
        return failed(claim=claim, error=_error(refused, recoverable=False), onward=onward)
    passed = claim.given.passed(output, text) if claim.given is not None else None
    outcome = AttemptSucceeded(step=claim.path, number=claim.number, output=output, passed=passed)
    return _settle(claim, outcome, onward or Onward(), text)


def failed(*, claim: Claim, error: Mapping[str, Any], told: bool = False, onward: Onward | None = None) -> bool:
    """Record why an attempt failed; the engine decides on another one.

    Args:
        error: ``{code, message, details, recoverable}``.
        told: the attempt stopped because it was told to.
        onward: what the worker can do itself about what follows.

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
    outcome = AttemptFailed(step=claim.path, number=claim.number, error=error, jitter=jitter, told=told)
    return _settle(claim, outcome, onward or Onward())


def postponed(*, claim: Claim, error: Mapping[str, Any], seconds: float) -> bool:
    """Give a claimed step back undone, with the reason; it is dispatched again after ``seconds``."""
    outcome = AttemptPostponed(step=claim.path, number=claim.number, error=error, seconds=seconds)
    return _settle(claim, outcome, Onward())


def _error(refused: OrchestratorError, *, recoverable: bool, code: str = "") -> dict[str, Any]:
    return {
        "code": code if code.isidentifier() else refused.code,
        "message": refused.message,
        "details": refused.details,
        "recoverable": recoverable,
    }


Outcome = AttemptSucceeded | AttemptFailed | AttemptPostponed


def _settle(claim: Claim, outcome: Outcome, onward: Onward, output: str | None = None) -> bool:
    """Record an outcome, whatever it takes: the work is done, losing its outcome would do it again."""
    try:
        return _report_through_outages(claim, outcome, onward, output)
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
        outcome = AttemptFailed(step=claim.path, number=claim.number, error=error)
        return _report_through_outages(claim, outcome, onward, None)


def _report_through_outages(claim: Claim, outcome: Outcome, onward: Onward, output: str | None) -> bool:
    """Report, and report again over a new connection while the lease lasts if the database drops this one."""
    uncertain = False
    for pause in (*RECONNECT_SECONDS, None):
        try:
            return _report(claim, outcome, onward, output) or (uncertain and _was_recorded(claim, outcome))
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
    return is_recorded(claim=claim, state=expected)


def is_recorded(*, claim: Claim, state: AttemptState = AttemptState.SUCCEEDED) -> bool:
    """Whether the attempt stands committed in that state; a success that could not be stored is none."""
    attempts = Attempt.objects.filter(instance_id=claim.instance_id, path=claim.path, number=claim.number)
    return attempts.filter(state=state).exists()


def _report(claim: Claim, outcome: Outcome, onward: Onward, output: str | None) -> bool:
    """Record an outcome on the hot path if it is plain, by a decision of the engine otherwise."""
    onward.next, onward.carried = None, False
    if isinstance(outcome, AttemptSucceeded) and output is not None:
        try:
            advancing.advance(claim, output, onward, outcome.passed)
        except NotPlain:
            pass
        else:
            _pass_failpoint(onward)
            return True

    if isinstance(outcome, AttemptSucceeded) and output is not None:
        # What follows reads the output as it will be stored, whoever decides and whenever it is read.
        outcome = replace(outcome, output=stored.as_stored(output))

    def take_over(dispatches: list[Dispatch]) -> list[Dispatch]:
        """Begin what the worker can begin itself, in the same transaction; return what is still to be sent."""
        for dispatch in dispatches:
            if onward.begins(claim, dispatch.step, queue=dispatch.queue, timeout=dispatch.timeout):
                onward.next = claims.claim(
                    instance_id=claim.instance_id,
                    path=dispatch.step,
                    generation=dispatch.generation,
                    worker=claim.worker,
                    known=claim.known,
                    sent=False,
                )
                return [d for d in dispatches if d is not dispatch]
        onward.carried = bool(dispatches) and onward.carries_on(dispatches)
        return [] if onward.carried else dispatches

    try:
        decisions.take(
            instance_id=claim.instance_id,
            occurrence=outcome,
            about=claim.path,
            actor=f"worker:{claim.worker}",
            graph=claim.graph,
            take_over=take_over,
        )
    except StaleOccurrence:
        return False
    _pass_failpoint(onward)
    return True


def _pass_failpoint(onward: Onward) -> None:
    """Name the moment after the commit; where messages were published, ``dispatch`` has named it before."""
    if onward.next is not None:
        failpoints.hit("step.advanced")
    elif onward.carried:
        failpoints.hit("step.committed")
