"""Read models for pages and commands: what is shown of definitions, instances and their history."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, Q, QuerySet, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Left

from workflows_app.engine.errors import NotFound
from workflows_app.engine.states import StepState
from workflows_app.models import Attempt, AuditEntry, Dispatch, Event, Instance, Step

MESSAGE_LENGTH = 500


def instances(
    *,
    workflow: str | None = None,
    state: str | None = None,
    correlation_id: str | None = None,
    text: str | None = None,
) -> QuerySet[Instance]:
    """Return instances, the newest first, without their large values.

    Args:
        workflow: only of this workflow.
        state: only in this state.
        correlation_id: only with this correlation id.
        text: only with this text somewhere in the correlation id, or the instance of this id.
    """
    found = Instance.objects.order_by("-created_at", "-id").defer("input", "variables", "output", "undo_order")
    for name, value in (("workflow", workflow), ("state", state), ("correlation_id", correlation_id)):
        if value:
            found = found.filter(**{name: value})
    if text:
        wanted = Q(correlation_id__icontains=text)
        with suppress(ValueError):
            wanted |= Q(pk=UUID(text))
        found = found.filter(wanted)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of instances, and whether there are others on either side."""

    rows: list[Instance]
    newer: bool
    older: bool


Place = tuple[datetime, UUID]
"""Where a page ends or begins: time of creation and id of the instance next to the cut."""


def page(
    found: QuerySet[Instance], *, size: int, older_than: Place | None = None, newer_than: Place | None = None
) -> Page:
    """Return one page of ``instances`` by key, so that page 1,000 costs what page 1 does.

    Args:
        found: what ``instances`` returned.
        size: number of rows.
        older_than: begin after this place.
        newer_than: end before this place; where fewer than ``size`` are newer, the first page.
    """
    if newer_than:
        at, key = newer_than
        newer = found.filter(Q(created_at__gt=at) | Q(pk__gt=key), created_at__gte=at)
        rows = list(newer.order_by("created_at", "id")[: size + 1])
        if len(rows) > size:
            return Page(rows=rows[size - 1 :: -1], newer=True, older=True)
    elif older_than:
        at, key = older_than
        found = found.filter(Q(created_at__lt=at) | Q(pk__lt=key), created_at__lte=at)
    rows = list(found[: size + 1])
    return Page(rows=rows[:size], newer=older_than is not None and newer_than is None, older=len(rows) > size)


def parse_id(text: str | UUID) -> UUID:
    """Return an instance's id.

    Raises:
        NotFound: the text is no id, so that there is no such instance.
    """
    try:
        return UUID(str(text))
    except ValueError as problem:
        raise NotFound(f"there is no instance {str(text)[:80]!r}", code="INSTANCE_NOT_FOUND") from problem


def instance(instance_id: str | UUID) -> Instance:
    """Return one instance with its steps and attempts.

    Raises:
        NotFound: with code INSTANCE_NOT_FOUND.
    """
    attempts = Prefetch("attempts", Attempt.objects.order_by("started_at", "id"))
    steps = Prefetch("steps", Step.objects.order_by("id"))
    found = (
        Instance.objects.filter(pk=parse_id(instance_id))
        .select_related("definition_version")
        .prefetch_related(steps, attempts)
        .first()
    )
    if found is None:
        raise NotFound(f"there is no instance {instance_id}", code="INSTANCE_NOT_FOUND")
    return found


def step_states(found: Instance) -> dict[str, str]:
    """Return the state of every step in document order; one without a row is pending. Branches are not steps."""
    rows = {row.path: row.state for row in found.steps.all()}
    return {
        path: rows.get(path, StepState.PENDING.value) for path in _paths(found.definition_version.document["steps"])
    }


def _paths(steps: Iterable[dict[str, Any]]) -> Iterable[str]:
    """Yield the ids of a document's steps, nested ones behind their block."""
    for step in steps:
        yield step["id"]
        for case in step.get("choice", ()):
            yield from _paths(case["steps"])
        for branch in step.get("parallel", {}).get("branches", {}).values():
            yield from _paths(branch)


def result(found: Instance) -> dict[str, Any]:
    """Return what ``start --wait`` prints."""
    return {
        "id": str(found.pk),
        "workflow": found.workflow,
        "version": found.version,
        "state": found.state,
        "cause": found.cause,
        "output": found.output,
        "error": found.error,
        "steps": step_states(found),
        "started_at": _time(found.started_at),
        "ended_at": _time(found.ended_at),
    }


def instance_view(instance_id: str | UUID) -> dict[str, Any]:
    """Return what ``show`` prints: the result, and every attempt in order of its start."""
    found = instance(instance_id)
    attempts = [
        {
            "step": row.path,
            "number": row.number,
            "role": row.role,
            "state": row.state,
            "worker": row.worker,
            "error": row.error,
            "started_at": _time(row.started_at),
            "ended_at": _time(row.ended_at),
        }
        for row in found.attempts.all()
    ]
    return {**result(found), "correlation_id": found.correlation_id, "attempts": attempts}


def history(instance_id: str | UUID) -> list[dict[str, Any]]:
    """Return an instance's events in order.

    Raises:
        NotFound: with code INSTANCE_NOT_FOUND.
    """
    key = parse_id(instance_id)
    rows = list(Event.objects.filter(instance_id=key).order_by("sequence"))
    if not rows and not Instance.objects.filter(pk=key).exists():
        raise NotFound(f"there is no instance {instance_id}", code="INSTANCE_NOT_FOUND")
    return [
        {
            "sequence": row.sequence,
            "type": row.type,
            "step": row.step,
            "at": _time(row.at),
            "data": row.data,
            "actor": row.actor,
        }
        for row in rows
    ]


def _beginning(name: str, length: int) -> Left:
    """The first ``length`` characters of a JSON column, cut in the database, and one more to tell that it was cut."""
    return Left(Cast(name, TextField()), length + 1)


def _error(name: str) -> dict[str, Any]:
    """An error's code and message, bounded, without its details."""
    return {
        f"{name}_code": KeyTextTransform("code", name),
        f"{name}_message": Left(KeyTextTransform("message", name), MESSAGE_LENGTH),
    }


def overview(instance_id: UUID, *, length: int) -> Any:
    """Return one ``Instance`` for a page, or ``None``; its values only as ``input_text``, ``output_text`` …

    Args:
        length: characters of each value; one more tells that it was cut.
    """
    large = ("input", "variables", "output", "error")
    return (
        Instance.objects.filter(pk=instance_id)
        .select_related("definition_version")
        .defer(*large, "undo_order", "head_hash", "definition_version__source")
        .annotate(**{f"{name}_text": _beginning(name, length) for name in large}, **_error("error"))
        .first()
    )


def step_rows(instance_id: UUID, paths: Iterable[str]) -> dict[str, Step]:
    """Return the rows of these steps by path, with ``error_code``, ``undo_error_message`` … for their values."""
    rows = Step.objects.filter(instance_id=instance_id, path__in=list(paths))
    rows = rows.defer("input", "undo_input", "output", "error", "undo_error")
    return {row.path: row for row in rows.annotate(**_error("error"), **_error("undo_error"))}


def last_attempts(instance_id: UUID, *, number: int) -> list[Attempt]:
    """Return an instance's last ``number`` attempts in order of their start."""
    rows = Attempt.objects.filter(instance_id=instance_id).defer("error").annotate(**_error("error"))
    return list(rows.order_by("-started_at", "-id")[:number])[::-1]


def unclaimed(instance_id: UUID, *, number: int) -> list[Dispatch]:
    """Return up to ``number`` steps that no worker has taken yet, the longest waiting first."""
    return list(Dispatch.objects.filter(instance_id=instance_id).order_by("created_at", "id")[:number])


def history_page(instance_id: UUID, *, first: int, size: int, length: int) -> list[dict[str, Any]]:
    """Return up to ``size`` events from sequence ``first`` on, their data as the first ``length`` + 1 characters."""
    rows = Event.objects.filter(instance_id=instance_id, sequence__gte=first).order_by("sequence")
    fields = ("sequence", "type", "step", "at", "actor")
    return list(rows.values(*fields, text=_beginning("data", length))[:size])


def audit_of(target: str, *, number: int) -> list[AuditEntry]:
    """Return the last ``number`` entries of the audit trail about ``target``, the newest first."""
    return list(AuditEntry.objects.filter(target=target).defer("hash").order_by("-sequence")[:number])


def _time(at: Any) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
