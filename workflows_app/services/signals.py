"""Signals and events from outside: kept, handed to what waits for them, and recorded with who sent them."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from workflows_app.engine import stored, values
from workflows_app.engine.definition.language.scalars import EVENT_TYPE, LONGEST_EVENT_TYPE
from workflows_app.engine.errors import InputInvalid, NotFound, OrchestratorError, Problem, StateForbids
from workflows_app.engine.states import InstanceState
from workflows_app.services import arrivals, audit, decisions
from workflows_app.services.starting import KEY_LENGTH

ACCEPTING = frozenset({InstanceState.PENDING, InstanceState.RUNNING, InstanceState.PAUSED})
_TYPE = re.compile(EVENT_TYPE)


@transaction.atomic
def signal(*, instance_id: UUID, event: str, actor: str, data: Any = None) -> int:
    """Send an event to one instance; it needs no key, and is kept until a step receives it or its retention is over.

    Args:
        event: its type.
        actor: who sends it.
        data: JSON.

    Returns:
        The event's id.

    Raises:
        InputInvalid: no type of event, or data that cannot be stored (TOO_LARGE, NOT_JSON …).
        NotFound: there is no such instance.
        StateForbids: it has ended or is ending: it receives nothing any more.
    """
    text = _checked(event, data)
    with connection.cursor() as cursor:
        cursor.execute("SELECT state, ending FROM workflows_app_instance WHERE id = %s FOR UPDATE", [instance_id])
        row = cursor.fetchone()
        if row is None:
            raise NotFound(f"there is no instance {instance_id}", code="INSTANCE_NOT_FOUND")
        if InstanceState(row[0]) not in ACCEPTING:
            raise StateForbids(f"the instance is {row[0]}; it receives no events any more")
        if row[1] is not None:
            raise StateForbids(f"the instance is ending (cause: {row[1]}); it receives no events any more")
        cursor.execute(
            "SELECT id, awaited FROM wf_signal(%s, %s, %s, %s, %s)",
            [instance_id, event, text, actor[:200], settings.ORCHESTRATOR_EVENT_RETENTION],
        )
        number, awaited = cursor.fetchone()
    facts = {"event": event, "event_id": number}
    audit.record(actor=actor, action="instance.signalled", target=str(instance_id), data=facts)
    arrivals.hand_over_later([instance_id] if awaited else [], decisions.take)
    return int(number)


@transaction.atomic
def publish(*, event: str, correlate: str, actor: str, data: Any = None) -> None:
    """Publish an event for every instance that waits for its type and key, or will within its retention.

    Args:
        event: its type.
        correlate: its key.
        actor: who publishes it.
        data: JSON.

    Raises:
        InputInvalid: no type of event, no key, or data that cannot be stored.
    """
    text = _checked(event, data)
    if not (0 < len(correlate) <= KEY_LENGTH and correlate.isprintable()):
        _refuse("INVALID_KEY", "correlate", f"must be 1 to {KEY_LENGTH} printable characters")
    document = {"published": [{"type": event, "key": correlate, "data": stored.as_stored(text)}]}
    woken = arrivals.publish(None, document, actor=actor)
    audit.record(actor=actor, action="event.published", target=event, data={"correlate": correlate})
    arrivals.hand_over_later(woken, decisions.take)


def _checked(event: str, data: Any) -> str:
    """Return the JSON text of an event's data."""
    if len(event) > LONGEST_EVENT_TYPE or not _TYPE.fullmatch(event):
        what = "must be a type of event such as order.created: letters, digits, underscore, dot, colon, hyphen"
        _refuse("INVALID_EVENT", "event", f"{what}; at most {LONGEST_EVENT_TYPE}")
    try:
        return values.encode(data, limit_bytes=settings.ORCHESTRATOR_MAX_INPUT_BYTES, what="the data")
    except OrchestratorError as refused:
        problem = Problem(code=refused.code, path="data", message=refused.message)
        raise InputInvalid(refused.message, code=refused.code, problems=[problem]) from refused


def _refuse(code: str, path: str, message: str) -> None:
    raise InputInvalid(f"{path} {message}", code=code, problems=[Problem(code=code, path=path, message=message)])
