"""Interventions: what operators do to one instance, with a reason: a decision and an audit entry in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from workflows_app.engine import stored, values
from workflows_app.engine.errors import InputInvalid, OrchestratorError, Problem
from workflows_app.engine.events import Event as HistoryEvent
from workflows_app.engine.events import EventType
from workflows_app.engine.reopening import TELLING, Evidence, evidence
from workflows_app.engine.transitions import (
    Cancel,
    ChangeTags,
    ChangeVariables,
    Migrate,
    Pause,
    Resume,
    Retry,
    RetryUndo,
    Rewind,
    RunNow,
    Skip,
    SkipUndo,
    Terminate,
    UndoDone,
)
from workflows_app.models import Event, Instance
from workflows_app.services import audit, decisions, starting

REASON_BYTES = 2000
Intervention = (
    Cancel
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
)


def pause(*, instance_id: UUID, actor: str, reason: str = "") -> Instance:
    """Let running attempts finish and record them; nothing new starts until the instance is resumed.

    Raises:
        NotFound, StateForbids.
    """
    return take(instance_id, Pause(actor=actor, reason=reason), "instance.paused")


def resume(*, instance_id: UUID, actor: str, variables: Any = None, reason: str = "") -> Instance:
    """Let a paused instance go on with everything that was held back.

    Args:
        variables: new values of declared variables, by name.

    Raises:
        NotFound, StateForbids.
        InputInvalid: with every name that no variable has (UNKNOWN_VARIABLE), or values that cannot be stored.
    """
    changed = stored_variables(variables)
    occurrence = Resume(actor=actor, reason=reason, variables=changed)
    return take(instance_id, occurrence, "instance.resumed", **({"variables": sorted(changed)} if changed else {}))


def set_variables(*, instance_id: UUID, actor: str, variables: Any, reason: str = "") -> Instance:
    """Give declared variables of a paused instance new values.

    Args:
        variables: the values by name.

    Raises:
        NotFound, StateForbids.
        InputInvalid: as for ``resume``.
    """
    changed = stored_variables(variables)
    occurrence = ChangeVariables(actor=actor, reason=reason, variables=changed)
    return take(instance_id, occurrence, "instance.variables_changed", variables=sorted(changed))


def tag(
    *, instance_id: UUID, actor: str, add: Sequence[str] = (), remove: Sequence[str] = (), reason: str = ""
) -> Instance:
    """Add tags to an instance, or take some away, whatever its state.

    Raises:
        NotFound.
        InputInvalid: what is to be added is no tag.
        StateForbids: nothing would change, or there would be too many.
    """
    starting.check_tags(add)
    occurrence = ChangeTags(actor=actor, reason=reason, add=tuple(add), remove=tuple(remove))
    return take(instance_id, occurrence, "instance.tagged", add=list(add), remove=list(remove))


def run_now(*, instance_id: UUID, step: str, actor: str, reason: str = "") -> Instance:
    """End a step's back-off: its next attempt begins now, or with the resume of a paused instance.

    Raises:
        NotFound: no such instance, or STEP_NOT_FOUND.
        StateForbids: the step does not wait for its next attempt.
    """
    return take(instance_id, RunNow(step=step, actor=actor, reason=reason), "step.hurried", step=step)


def skip(*, instance_id: UUID, step: str, actor: str, reason: str = "") -> Instance:
    """Skip a step that does not run and has not settled; what waits for it goes on.

    Raises:
        NotFound: no such instance, or STEP_NOT_FOUND.
        StateForbids: it runs, has settled, or cannot be skipped by itself; the instance is ending.
    """
    return take(instance_id, Skip(step=step, actor=actor, reason=reason), "step.skipped", step=step)


@transaction.atomic
def retry(*, instance_id: UUID, actor: str, reason: str = "") -> Instance:
    """Let a failed instance go on: what failed gets fresh attempts, what its failure cancelled waits for its turn.

    Raises:
        NotFound, StateForbids.
    """
    occurrence = Retry(actor=actor, reason=reason, evidence=evidence_of(instance_id))
    return take(instance_id, occurrence, "instance.retried")


def evidence_of(instance_id: UUID) -> Evidence:
    """Read what an instance's history tells about its failure, and lock it: the history must not grow meanwhile."""
    Instance.objects.select_for_update().filter(pk=instance_id).first()
    told = Event.objects.filter(instance_id=instance_id, type__in=TELLING).order_by("sequence")
    return evidence(
        HistoryEvent(sequence=e.sequence, type=EventType(e.type), step=e.step, at=e.at, data=e.data) for e in told
    )


@transaction.atomic
def take(instance_id: UUID, occurrence: Intervention, action: str, **facts: Any) -> Instance:
    """Decide what an operator's command leads to, and put it on the audit trail.

    Args:
        action: its name there.
        facts: further facts for the trail, beside the reason.
    """
    check_reason(occurrence.reason)
    decisions.take(instance_id=instance_id, occurrence=occurrence)
    audit.record(
        actor=occurrence.actor, action=action, target=str(instance_id), data={"reason": occurrence.reason, **facts}
    )
    return Instance.objects.get(pk=instance_id)


def check_reason(reason: str) -> None:
    """Refuse a reason that cannot be stored.

    Raises:
        InputInvalid: too large, or text that is none.
    """
    try:
        values.encode(reason, limit_bytes=REASON_BYTES, what="the reason")
    except OrchestratorError as refused:
        raise _unstorable(refused, "reason") from refused


def stored_variables(given: Any) -> Mapping[str, Any]:
    """Return new values of variables as they will be stored; none for ``None``.

    Raises:
        InputInvalid: they are no object, or cannot be stored.
    """
    if given is None:
        return {}
    if not isinstance(given, dict):
        problem = Problem(code="INPUT_INVALID", path="variables", message="must be an object: values by variable")
        raise InputInvalid("the variables must be an object: values by variable", problems=[problem])
    try:
        text = values.encode(given, limit_bytes=settings.ORCHESTRATOR_MAX_OUTPUT_BYTES, what="the variables")
    except OrchestratorError as refused:
        raise _unstorable(refused, "variables") from refused
    found: Mapping[str, Any] = stored.as_stored(text)
    return found


def _unstorable(refused: OrchestratorError, place: str) -> InputInvalid:
    problem = Problem(code=refused.code, path=place, message=refused.message)
    return InputInvalid(refused.message, code=refused.code, problems=[problem])
