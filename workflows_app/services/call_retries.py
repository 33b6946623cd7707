"""Calls again: one failed call of a service is made again by what its step can still do, or refused with the reason.

A call belongs to an attempt, and an attempt to a step: there is no other way to repeat it that the history would know
of. So the step's back-off ends, the failed instance goes on, or the failed undo runs again: what an operator could ask
for by hand.
"""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from django.db import transaction

from workflows_app.engine.errors import NotFound, StateForbids
from workflows_app.engine.states import EffectState, InstanceState, Role, StepState
from workflows_app.models import Effect, Instance, Step
from workflows_app.services import interventions, undos

KIND = "service.call"


class Way(StrEnum):
    """How a call is made again."""

    NOW = "the step's back-off ended"
    RETRIED = "the instance goes on"
    UNDO = "its undo runs again"


def last_of(*, instance_id: UUID, step: str) -> int:
    """Return the last call that a step has made.

    Raises:
        NotFound: CALL_NOT_FOUND: it has made none.
    """
    found = Effect.objects.filter(instance_id=instance_id, path=step, kind=KIND).order_by("-id")
    call = found.values_list("pk", flat=True).first()
    if call is None:
        raise NotFound(f"{step} has called no service", code="CALL_NOT_FOUND")
    return call


@transaction.atomic
def again(*, call_id: int, actor: str, reason: str = "") -> tuple[UUID, str, Way]:
    """Make a failed call again.

    Args:
        call_id: of its entry in the effect ledger.
        actor: who asks.
        reason: kept in the history and the audit trail.

    Returns:
        The instance, the step, and how.

    Raises:
        NotFound: CALL_NOT_FOUND.
        StateForbids: it was answered as it should, is not the last one of its step, or its step can do nothing more.
    """
    call = Effect.objects.filter(pk=call_id, kind=KIND).first()
    if call is None:
        raise NotFound(f"there is no call {call_id}", code="CALL_NOT_FOUND")
    instance = Instance.objects.select_for_update().get(pk=call.instance_id)
    step = Step.objects.get(instance=instance, path=call.path)
    if call.state == EffectState.CONFIRMED:
        raise StateForbids("the call was answered as it should; to do its work again, start the workflow anew")
    if call.number != step.attempts:
        raise StateForbids(f"attempt {step.attempts} of {call.path} came after it: look at the calls of that one")
    if step.attempt is not None:
        raise StateForbids(f"attempt {step.attempts} of {call.path}, which made it, is still running")
    if step.state == StepState.RETRYING or (step.state == StepState.COMPENSATING and step.due_at is not None):
        interventions.run_now(instance_id=instance.pk, step=call.path, actor=actor, reason=reason)
        return instance.pk, call.path, Way.NOW
    if call.role == Role.COMPENSATION and step.state == StepState.COMPENSATION_FAILED:
        undos.retry(instance_id=instance.pk, step=call.path, actor=actor, reason=reason)
        return instance.pk, call.path, Way.UNDO
    if instance.state != InstanceState.FAILED or step.state not in (StepState.FAILED, StepState.TIMED_OUT):
        raise StateForbids(
            f"{call.path} is {step.state} and the instance {instance.state}: only a step that waits for its next "
            "attempt, has failed with its instance, or could not be undone, makes its call again"
        )
    interventions.retry(instance_id=instance.pk, actor=actor, reason=reason)
    return instance.pk, call.path, Way.RETRIED
