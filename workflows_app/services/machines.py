"""State machines: an event comes in from outside and sets off a transition, waits for its turn, or is refused."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings

from workflows_app.engine import stored, values
from workflows_app.engine.errors import InputInvalid, NotFound, OrchestratorError, Problem
from workflows_app.engine.snapshot import InstanceSnapshot
from workflows_app.engine.transitions import EventReceived
from workflows_app.models import Instance
from workflows_app.services import decisions, graphs

TYPE_LENGTH = 200
"""Characters that an event's type may have, as in the definition language."""


def send_event(
    *, instance_id: UUID, event: str, data: Any = None, actor: str, expected_version: int | None = None
) -> InstanceSnapshot:
    """Send an event to a state machine, in one transaction.

    Args:
        event: its type.
        data: JSON.
        actor: who sends it.
        expected_version: the length of the instance's history that the sender knows; refused if there is more.

    Returns:
        The instance after it: with the event's transition under way or done, or with the event in its queue.

    Raises:
        NotFound: there is no such instance.
        InputInvalid: the type or the data is none.
        StateForbids: the instance has ended, or runs a flow.
        Conflict: CONCURRENCY_CONFLICT with ``expected`` and ``actual``, or QUEUE_FULL.
        Refused: INVALID_TRANSITION or CONDITION_NOT_MET, of a machine that is idle; nothing is written.
        OrchestratorError: a condition cannot be evaluated; nothing is written.
    """
    if not (0 < len(event) <= TYPE_LENGTH and event.isprintable()):
        words = f"1 to {TYPE_LENGTH} printable characters"
        problem = Problem(code="INVALID_EVENT", path="event", message=words)
        raise InputInvalid(f"the event's type must be {words}", problems=[problem])
    try:
        text = values.encode(data, limit_bytes=settings.ORCHESTRATOR_MAX_INPUT_BYTES, what="the event's data")
    except OrchestratorError as refused:
        problem = Problem(code=refused.code, path="data", message=refused.message)
        raise InputInvalid(refused.message, code=refused.code, problems=[problem]) from refused
    row = Instance.objects.only("definition_version_id", "overrides").filter(pk=instance_id).first()
    if row is None:
        raise NotFound(f"there is no instance {instance_id}", code="INSTANCE_NOT_FOUND")
    occurrence = EventReceived(event=event, data=stored.as_stored(text), actor=actor[:150], expected=expected_version)
    decision = decisions.take(instance_id=instance_id, occurrence=occurrence, graph=graphs.of_row(row))
    return decision.after.instance


def is_machine(instance_id: UUID) -> bool:
    """Whether an instance runs a state machine; ``False`` also where there is none."""
    version_id = Instance.objects.filter(pk=instance_id).values_list("definition_version_id", flat=True).first()
    return version_id is not None and graphs.of_version(version_id).definition.machine is not None
