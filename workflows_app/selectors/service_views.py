"""Services for people: how their breakers stand, how many calls are under way, and which were the last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import OuterRef, Q, Subquery
from django.db.models.fields.json import KeyTextTransform

from workflows_app.engine import service_document
from workflows_app.engine.service_document import Service
from workflows_app.engine.service_schema import OperationKind
from workflows_app.engine.states import AttemptState, BreakerState, EffectState
from workflows_app.models import Attempt, Breaker, Effect
from workflows_app.models import Service as Registered

MOST_CALLS = 20
UNDER_WAY = """
SELECT p.service, count(*) FROM workflows_app_place p
JOIN workflows_app_attempt a ON a.instance_id = p.instance AND a.path = p.path AND a.number = p.number
WHERE a.state = 'running' GROUP BY p.service
"""


def rows() -> list[dict[str, Any]]:
    """Return every service as one row of a list."""
    under_way = _under_way()
    stopped: dict[str, list[str]] = {}
    for each in Breaker.objects.exclude(state=BreakerState.CLOSED).order_by("operation"):
        stopped.setdefault(each.service, []).append(f"{each.operation} {each.state}")
    return [
        {
            "service": found.name,
            "endpoints": len(service.endpoints),
            "operations": len(service.operations),
            "not_closed": ", ".join(stopped.get(found.name, [])) or None,
            "under_way": _of_limit(service, under_way),
            "registered_at": _time(found.registered_at),
            "registered_by": found.registered_by,
        }
        for found, service in ((each, service_document.parse(each.document)) for each in Registered.objects.all())
    ]


def view(found: Registered) -> dict[str, Any]:
    """Return what ``service show`` prints."""
    service = service_document.parse(found.document)
    known = {each.operation: each for each in Breaker.objects.filter(service=found.name)}
    return {
        "service": found.name,
        "document": found.document,
        "registered_at": _time(found.registered_at),
        "registered_by": found.registered_by,
        "under_way": _of_limit(service, _under_way()),
        "breakers": [_breaker(name, known.get(name)) for name in service.operations],
        "calls": calls(service=found.name, number=MOST_CALLS),
    }


def calls(
    *,
    number: int,
    service: str | None = None,
    instance: UUID | None = None,
    operation: str | None = None,
    failed: bool = False,
    call: int | None = None,
) -> list[dict[str, Any]]:
    """Return the last requests, the newest first: commands as the effect ledger has them, and queries.

    Args:
        number: how many at most.
        service, instance, call: of which; one of them at least, as the ledger is kept by them.
        operation: of the service.
        failed: only those that were not answered as they should, or of which nobody knows.
    """
    attempt = Attempt.objects.filter(instance_id=OuterRef("instance_id"), path=OuterRef("path"))
    state = Subquery(attempt.filter(number=OuterRef("number")).values("state")[:1])
    found = Effect.objects.filter(kind="service.call").annotate(
        of_service=KeyTextTransform("service", "facts"), attempt_state=state
    )
    if service is not None:
        found = found.filter(of_service=service)
    if instance is not None:
        found = found.filter(instance_id=instance)
    if call is not None:
        found = found.filter(pk=call)
    if operation is not None:
        found = found.filter(facts__operation=operation)
    if failed:
        under_way = Q(state=EffectState.PLANNED, attempt_state=AttemptState.RUNNING)
        found = found.exclude(state=EffectState.CONFIRMED).exclude(under_way)
    return [
        {
            "id": row.pk,
            "service": row.facts.get("service"),
            "operation": row.facts.get("operation"),
            "endpoint": row.facts.get("endpoint"),
            "instance": str(row.instance_id),
            "step": row.path,
            "attempt": row.number,
            "state": EffectState.UNKNOWN.value if _is_left(row) else row.state,
            "status": row.facts.get("status"),
            "code": row.facts.get("code"),
            "kind": (OperationKind.QUERY if row.is_query else OperationKind.COMMAND).value,
            "target": row.target,
            "idempotency_key": row.idempotency_key or None,
            "retries": row.retries,
            "maximum": row.maximum,
            "parameters": kept(row.parameters),
            "result": kept(row.result),
            "error": row.error,
            "cut": [name for name in ("parameters", "result") if is_cut(getattr(row, name))],
            "planned_at": _time(row.planned_at),
            "settled_at": _time(row.settled_at),
        }
        for row in found.order_by("-id")[:number]
    ]


def kept(excerpt: dict[str, Any] | None) -> Any:
    """Return what is kept of a value: all of it, or the beginning of its JSON.

    >>> kept({"value": {"a": 1}}), kept({"beginning": '{"a": [1, 2'}), kept(None)
    ({'a': 1}, '{"a": [1, 2', None)
    """
    return None if excerpt is None else excerpt.get("value", excerpt.get("beginning"))


def is_cut(excerpt: dict[str, Any] | None) -> bool:
    """Whether a part of the value is all that is kept, or nothing of it."""
    return excerpt is not None and "value" not in excerpt


def _is_left(row: Any) -> bool:
    return bool(row.state == EffectState.PLANNED and row.attempt_state != AttemptState.RUNNING)


def _breaker(operation: str, row: Breaker | None) -> dict[str, Any]:
    if row is None:
        row = Breaker(operation=operation)
    return {
        "operation": operation,
        "state": str(row.state),
        "failures": row.failures,
        "since": _time(row.since),
        "open_until": _time(row.open_until),
        "probe_until": _time(row.probe_until),
        "cause": row.cause or None,
    }


def _under_way() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(UNDER_WAY)
        return dict(cursor.fetchall())


def _of_limit(service: Service, under_way: Mapping[str, int]) -> str | None:
    """Only a service with a bulkhead counts its calls."""
    return None if service.limit is None else f"{under_way.get(service.name, 0)} of {service.limit}"


def _time(at: Any) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
