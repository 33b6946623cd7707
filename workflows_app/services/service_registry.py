"""The registry of services: check a document, register it, find what a call needs, switch a breaker by hand."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from workflows_app.engine import definition, service_document
from workflows_app.engine.errors import InputInvalid, NotFound, Problem
from workflows_app.engine.states import BreakerState
from workflows_app.models import Breaker, Place, Rate, Service
from workflows_app.services import audit
from workflows_app.services.contents import content_hash

LONGEST_REASON = 300


def read(*, text: str | bytes) -> tuple[dict[str, Any], service_document.Service]:
    """Return the document and the service of a text.

    Args:
        text: YAML or JSON.

    Raises:
        DefinitionInvalid: with every problem.
    """
    document = definition.load(text, limit_bytes=settings.ORCHESTRATOR_MAX_DOCUMENT_BYTES)
    return document, service_document.parse(document)


@transaction.atomic
def register(*, text: str | bytes, actor: str) -> Service:
    """Register a service, in the place of what stood under its name; calls use it from now on.

    The breakers of operations that it has no longer are forgotten, the others stay as they are. Rates count anew.

    Args:
        text: YAML or JSON.
        actor: who registers.

    Returns:
        The service; nothing changes if its content is what is registered already.

    Raises:
        DefinitionInvalid: with every problem; nothing is stored.
    """
    document, service = read(text=text)
    digest = content_hash(document)
    _lock(service.name)
    existing = Service.objects.filter(name=service.name).first()
    if existing is not None and existing.content_hash == digest:
        return existing
    facts = {
        "document": document,
        "source": text if isinstance(text, str) else text.decode("utf-8-sig"),
        "content_hash": digest,
        "registered_by": actor[:150],
    }
    row, _ = Service.objects.update_or_create(name=service.name, defaults=facts)
    Breaker.objects.filter(service=service.name).exclude(operation__in=list(service.operations)).delete()
    _forget_rates(service.name)
    audit.record(actor=actor, action="service.registered", target=service.name, data={"content_hash": digest})
    return row


@transaction.atomic
def remove(*, name: str, actor: str) -> None:
    """Forget a service with its breakers; what calls of it left in the effect ledger stays.

    Raises:
        NotFound: with code SERVICE_NOT_FOUND.
    """
    _lock(name)
    row = find(name=name)
    audit.record(actor=actor, action="service.removed", target=name, data={"content_hash": row.content_hash})
    # In the order in which calls lock them.
    Place.objects.filter(service=name).delete()
    Breaker.objects.filter(service=name).delete()
    _forget_rates(name)
    row.delete()


def _forget_rates(name: str) -> None:
    """Count anew: what was let through under another rate says nothing under this one. Turns that were given stay."""
    Rate.objects.filter(name__startswith=f"service {name}.").delete()


def find(*, name: str) -> Service:
    """Return a registered service.

    Raises:
        NotFound: with code SERVICE_NOT_FOUND.
    """
    found = Service.objects.filter(name=name).first()
    if found is None:
        raise NotFound(f"there is no service {name!r}", code="SERVICE_NOT_FOUND")
    return found


def at_hand(name: str) -> service_document.Service | None:
    """Return a registered service as it is now, parsed once per content and process; ``None`` where there is none."""
    source = Service.objects.filter(name=name).values_list("source", flat=True).first()
    return None if source is None else _parsed(source)


@lru_cache(maxsize=256)
def _parsed(source: str) -> service_document.Service:
    return read(text=source)[1]


@transaction.atomic
def switch(*, name: str, operation: str, state: BreakerState, reason: str, actor: str) -> None:
    """Open the breaker of an operation until somebody closes it, or close it.

    Args:
        state: ``OPEN`` or ``CLOSED``.
        reason: kept with the breaker and in the audit trail.

    Raises:
        NotFound: with code SERVICE_NOT_FOUND or OPERATION_NOT_FOUND.
        InputInvalid: with code REASON_REQUIRED.
    """
    if not reason.strip():
        message = "say why: the reason is kept in the audit trail"
        problem = Problem(code="REASON_REQUIRED", path="reason", message=message)
        raise InputInvalid(message, code=problem.code, problems=[problem])
    _lock(name)
    service = service_document.parse(find(name=name).document)
    if operation not in service.operations:
        known = ", ".join(list(service.operations)[:20])
        raise NotFound(f"the service {name} has no operation {operation!r}; it has {known}", code="OPERATION_NOT_FOUND")
    cause = f"{state.value} by {actor[:150]}: {reason.strip()[:LONGEST_REASON]}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT wf_breaker_switch(%s, %s, %s, %s)", [name, operation, state.value, cause])
    words = {BreakerState.OPEN: "service.breaker_opened", BreakerState.CLOSED: "service.breaker_closed"}
    target = f"{name}.{operation}"
    audit.record(actor=actor, action=words[state], target=target, data={"reason": reason.strip()[:LONGEST_REASON]})


def _lock(name: str) -> None:
    """Two acts on one service at once: the second sees what the first did."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"service:{name}"])
