"""Read models for pages and commands: what is shown of definitions, instances and their history."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, QuerySet

from workflows_app.engine.errors import NotFound
from workflows_app.engine.states import StepState
from workflows_app.models import Attempt, DefinitionVersion, Event, Instance, Step


def versions() -> QuerySet[DefinitionVersion]:
    """Return every published version, by name, the highest first."""
    return DefinitionVersion.objects.select_related("definition").order_by(
        "definition__name", "-major", "-minor", "-patch"
    )


def instances(
    *, workflow: str | None = None, state: str | None = None, correlation_id: str | None = None
) -> QuerySet[Instance]:
    """Return instances, the newest first, without their large values.

    Args:
        workflow: only of this workflow.
        state: only in this state.
        correlation_id: only with this correlation id.
    """
    found = Instance.objects.order_by("-created_at", "-id").defer("input", "variables", "output", "undo_order")
    for name, value in (("workflow", workflow), ("state", state), ("correlation_id", correlation_id)):
        if value:
            found = found.filter(**{name: value})
    return found


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


def _time(at: Any) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
