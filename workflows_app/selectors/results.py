"""What commands print of one instance: the result, everything about it, its history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count, takewhile
from typing import Any
from uuid import UUID

from django.db.models import Prefetch

from workflows_app.engine import idempotency
from workflows_app.engine.errors import NotFound
from workflows_app.engine.paths import chosen
from workflows_app.engine.states import Role, StepState
from workflows_app.models import (
    ArchivedInstance,
    Attempt,
    Event,
    Instance,
    Step,
    Subscription,
)
from workflows_app.selectors import machine_views, obstacles, section_views, service_views, standstill
from workflows_app.selectors.portions import children, effects_of
from workflows_app.selectors.standing import standstill_of, starts_at, waits_for
from workflows_app.selectors.standstill import Standstill
from workflows_app.selectors.waiting import sentence

MOST_EFFECTS = 1000
"""Of more effects, and of more calls of services, the last ones are listed."""
MOST_CHILDREN = 1000
"""How many called instances are shown of one."""


def parse_id(text: str | UUID) -> UUID:
    """Return an instance's id.

    Raises:
        NotFound: the text is no id, so that there is no such instance.
    """
    try:
        return UUID(str(text))
    except ValueError as problem:
        raise NotFound(f"there is no instance {str(text)[:80]!r}", code="INSTANCE_NOT_FOUND") from problem


def missing(instance_id: str | UUID) -> NotFound:
    """The error of an instance that has no rows: there never was one, or it was purged, or archived."""
    if ArchivedInstance.objects.filter(pk=instance_id).exists():
        return NotFound(
            f"instance {instance_id} was archived: read it with `workflow archived`", code="INSTANCE_ARCHIVED"
        )
    return NotFound(f"there is no instance {instance_id}", code="INSTANCE_NOT_FOUND")


def instance(instance_id: str | UUID) -> Instance:
    """Return one instance with its steps and attempts.

    Raises:
        NotFound: with code INSTANCE_NOT_FOUND or INSTANCE_ARCHIVED.
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
        raise missing(instance_id)
    return found


def step_states(found: Instance) -> dict[str, str]:
    """Return the state of every step in document order; one without a row is pending.

    Steps inside ``foreach`` and ``loop`` appear once for each iteration that has begun, those of an ad-hoc section once
    for each time that they were picked. Branches and iterations are no steps. Of a state machine: the actions that it
    has come to.
    """
    rows = {row.path: row for row in found.steps.all()}
    if found.machine_state is not None:
        return machine_views.step_states(rows)
    paths = _paths(found.definition_version.document["steps"], "", rows)
    return {path: rows[path].state if path in rows else StepState.PENDING.value for path in paths}


def _paths(steps: Iterable[dict[str, Any]], around: str, rows: Mapping[str, Step]) -> Iterable[str]:
    """Yield the paths of a document's steps, nested ones behind their block."""
    for step in steps:
        path = f"{around}{step['id']}"
        yield path
        for case in step.get("choice", ()):
            yield from _paths(case["steps"], around, rows)
        for branch in step.get("parallel", {}).get("branches", {}).values():
            yield from _paths(branch, around, rows)
        repeated: dict[str, Any] = step.get("foreach") or step.get("loop") or {}
        for index in range(rows[path].opened if repeated and path in rows else 0):
            yield from _paths(repeated["steps"], f"{path}[{index}].", rows)
        for member in step.get("adhoc", {}).get("steps", ()):
            picks = (f"{chosen(path, member['id'])}[{index}]" for index in count())
            for pick in takewhile(rows.__contains__, picks):
                yield from _paths([member], f"{pick}.", rows)


def result(found: Instance) -> dict[str, Any]:
    """Return what ``start --wait`` prints."""
    machine = machine_views.view(found)
    if machine is not None:
        machine |= {key: _time(machine[key]) for key in ("since", "until")}
    return {
        "id": str(found.pk),
        "workflow": found.workflow,
        "version": found.version,
        "state": found.state,
        **({} if machine is None else {"machine": machine}),
        "cause": found.cause,
        "output": found.output,
        "error": found.error,
        "steps": step_states(found),
        "started_at": _time(found.started_at),
        "ended_at": _time(found.ended_at),
    }


def instance_view(instance_id: str | UUID) -> dict[str, Any]:
    """Return what ``show`` prints: the result, every attempt in order of its start, and what is waited for."""
    found = instance(instance_id)
    # Attempts from before keys were kept with them: a step that never ran again has the one that it had.
    own_keys = {row.path: row.idempotency_key for row in found.steps.all() if not row.rerun}
    attempts = [
        {
            "step": row.path,
            "number": row.number,
            "role": row.role,
            "state": row.state,
            "worker": row.worker,
            "idempotency_key": idempotency.of(
                found.pk, row.path, row.own_key or own_keys.get(row.path), Role(row.role)
            ),
            "progress": row.progress,
            "error": row.error,
            "started_at": _time(row.started_at),
            "ended_at": _time(row.ended_at),
        }
        for row in found.attempts.all()
    ]
    parent = {"instance": str(found.parent_id), "step": found.parent_path} if found.parent_id else None
    called = [
        {
            "step": row.parent_path,
            "id": str(row.pk),
            "workflow": row.workflow,
            "version": row.version,
            "state": row.state,
        }
        for row in children(found.pk, number=MOST_CHILDREN)
    ]
    awaited = [
        {"step": row.path, "event": row.type, "correlate": row.key, "since": _time(row.since)}
        for row in Subscription.objects.filter(instance=found).order_by("id")
    ]
    wait = waits_for(found)
    return {
        **result(found),
        "correlation_id": found.correlation_id,
        "tags": found.tags or [],
        "overrides": found.overrides,
        "starts_at": _time(starts_at(found)),
        "parent": parent,
        "children": called,
        "attempts": attempts,
        "awaited": awaited,
        "sections": section_views.views(found),
        "effects": [
            {
                "step": row.path,
                "attempt": row.number,
                "role": row.role,
                "kind": row.kind,
                "target": row.target,
                "idempotency_key": row.idempotency_key,
                "state": row.state,
                "facts": row.facts,
                "planned_at": _time(row.planned_at),
                "settled_at": _time(row.settled_at),
            }
            for row in effects_of(found.pk, number=MOST_EFFECTS)
        ],
        "calls": service_views.calls(instance=found.pk, number=MOST_EFFECTS)[::-1],
        "failed_undos": [
            {"step": row.path, "error": row.undo_error}
            for row in found.steps.all()
            if row.state == StepState.COMPENSATION_FAILED
        ],
        "waits_for": {**wait.as_dict(), "sentence": sentence(wait)} if wait else None,
        "paused": _paused(standstill_of(found)),
        "why": [each.as_dict() for each in obstacles.of_one(found.pk)],
    }


def why(instance_id: str | UUID) -> dict[str, Any]:
    """Return what ``why`` prints: what an instance waits for or does, what matters most first.

    Raises:
        NotFound: with code INSTANCE_NOT_FOUND or INSTANCE_ARCHIVED.
    """
    key = parse_id(instance_id)
    found = Instance.objects.filter(pk=key).values("workflow", "version", "state").first()
    if found is None:
        raise missing(instance_id)
    said = obstacles.of_one(key)
    return {
        "id": str(key),
        **found,
        "sentence": obstacles.sentence(said) or None,
        "stuck": any(each.stuck for each in said),
        "why": [each.as_dict() for each in said],
    }


def _paused(held: Standstill | None) -> dict[str, str | None] | None:
    if held is None:
        return None
    return {"by": held.by, "since": _time(held.since), "reason": held.reason, "sentence": standstill.sentence(held)}


def history(instance_id: str | UUID) -> list[dict[str, Any]]:
    """Return an instance's events in order.

    Raises:
        NotFound: with code INSTANCE_NOT_FOUND or INSTANCE_ARCHIVED.
    """
    key = parse_id(instance_id)
    rows = list(Event.objects.filter(instance_id=key).order_by("sequence"))
    if not rows and not Instance.objects.filter(pk=key).exists():
        raise missing(instance_id)
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
