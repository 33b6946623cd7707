"""Read models for pages and commands: what is shown of definitions, instances and their history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import count, takewhile
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import OuterRef, Prefetch, Q, QuerySet, Subquery, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Left

from workflows_app import machine_views, section_views, standstill
from workflows_app.engine import idempotency
from workflows_app.engine.errors import NotFound
from workflows_app.engine.events import EventType
from workflows_app.engine.paths import chosen
from workflows_app.engine.states import INSTANCE_ENDED, AttemptState, EffectState, InstanceState, Role, StepState
from workflows_app.models import (
    Artifact,
    Attempt,
    AuditEntry,
    Dispatch,
    Effect,
    Event,
    Hold,
    Instance,
    Slot,
    Step,
    Subscription,
    Timer,
)
from workflows_app.standstill import Standstill
from workflows_app.waiting import MOST_COUNTED, Wait, sentence

MESSAGE_LENGTH = 500
CALLERS_WITH_PLACES = """
WITH RECURSIVE callers AS (
    SELECT i.parent_id AS id, i.depth FROM workflows_app_instance i WHERE i.id = %s AND i.awaited
    UNION ALL
    SELECT i.parent_id, i.depth FROM callers c JOIN workflows_app_instance i ON i.id = c.id WHERE i.awaited
)
SELECT c.id FROM callers c JOIN workflows_app_slot s ON s.instance_id = c.id
WHERE s.workflow = %s AND s.key = %s AND s.state <> 'waiting' ORDER BY c.depth DESC
"""
MOST_EFFECTS = 1000
"""Of more effects the last ones are listed."""
MOST_CHILDREN = 1000
"""How many called instances are shown of one."""


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
    large = ("input", "variables", "output", "machine_queue")
    found = Instance.objects.order_by("-created_at", "-id").defer(*large)
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
    own_keys = {row.path: row.idempotency_key for row in found.steps.all()}
    attempts = [
        {
            "step": row.path,
            "number": row.number,
            "role": row.role,
            "state": row.state,
            "worker": row.worker,
            "idempotency_key": idempotency.of(found.pk, row.path, own_keys.get(row.path), Role(row.role)),
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
        "waits_for": {**wait.as_dict(), "sentence": sentence(wait)} if wait else None,
        "paused": _paused(standstill_of(found)),
    }


def standstill_of(found: Instance) -> Standstill | None:
    """Return who paused an instance, its workflow, everything, or a queue that it waits for; ``None`` if nobody did."""
    if found.state != InstanceState.PAUSED:
        return None if found.state in INSTANCE_ENDED else _hold_of(found)
    event = Event.objects.filter(instance_id=found.pk, type=EventType.INSTANCE_PAUSED).order_by("-sequence").first()
    if event is None:
        return None
    return Standstill(by=event.actor, since=event.at, reason=str(event.data.get("reason") or ""))


def _hold_of(found: Instance) -> Standstill | None:
    queues = Dispatch.objects.filter(instance_id=found.pk).values("queue")
    mine = Q(kind="all") | Q(kind="definition", name=found.workflow) | Q(kind="queue", name__in=queues)
    held = Hold.objects.filter(mine).order_by("id").first()
    if held is None:
        return None
    what = {"all": "everything", "definition": f"the workflow {held.name}", "queue": f"the queue {held.name}"}
    return Standstill(by=held.actor, since=held.since, reason=held.reason, what=what[held.kind])


def _paused(held: Standstill | None) -> dict[str, str | None] | None:
    if held is None:
        return None
    return {"by": held.by, "since": _time(held.since), "reason": held.reason, "sentence": standstill.sentence(held)}


def waits_for(found: Instance) -> Wait | None:
    """Return what a pending instance waits for; ``None`` for any other."""
    if found.state != InstanceState.PENDING:
        return None
    mine = Slot.objects.filter(instance_id=found.pk).exclude(state="taken").first()
    if mine is None:
        return None
    ahead = Slot.objects.filter(workflow=mine.workflow, key=mine.key, state="waiting", id__lt=mine.pk)
    return Wait(
        key=mine.key,
        written=found.definition_version.document.get("concurrency", {}).get("key"),
        limit=mine.places,
        before=ahead[:MOST_COUNTED].count() if mine.state == "waiting" else 0,
        granted=mine.state == "granted",
        held_by=_held_by_callers(found, mine),
    )


def _held_by_callers(found: Instance, mine: Slot) -> str | None:
    """Name the nearest caller that waits for an instance and holds one of its places, if such callers hold them all."""
    if mine.state != "waiting" or not found.awaited:
        return None
    with connection.cursor() as cursor:
        cursor.execute(CALLERS_WITH_PLACES, [found.pk, mine.workflow, mine.key])
        holders = [str(row[0]) for row in cursor.fetchall()]
    return holders[0] if len(holders) >= mine.places else None


def children(instance_id: UUID, *, number: int) -> list[Instance]:
    """Return up to ``number`` instances that the steps of one called, in order of the steps' paths, then of time."""
    rows = Instance.objects.filter(parent_id=instance_id).order_by("parent_path", "created_at", "id")
    return list(rows.only("id", "parent_path", "workflow", "version", "state", "created_at")[:number])


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
        .defer(*large, "machine_queue", "head_hash", "definition_version__source")
        .annotate(**{f"{name}_text": _beginning(name, length) for name in large}, **_error("error"))
        .first()
    )


def step_rows(instance_id: UUID, paths: Iterable[str]) -> dict[str, Step]:
    """Return the rows of these steps by path, with ``error_code``, ``undo_error_message`` … for their values."""
    rows = Step.objects.filter(instance_id=instance_id, path__in=list(paths))
    rows = rows.defer("input", "undo_input", "output", "error", "undo_error")
    return {row.path: row for row in rows.annotate(**_error("error"), **_error("undo_error"))}


def under_way_inside(instance_id: UUID, *, number: int) -> list[str]:
    """Return paths of steps inside iterations that run, then of those that wait for a worker or a time.

    Args:
        number: how many of each at most.
    """
    running = Attempt.objects.filter(instance_id=instance_id, state=AttemptState.RUNNING)
    waiting = (Timer.objects.filter(instance_id=instance_id), Dispatch.objects.filter(instance_id=instance_id))
    found: list[str] = []
    for rows in (running, *waiting):
        paths = rows.filter(path__contains="].").order_by("path").values_list("path", flat=True)[:number]
        found += sorted(paths, key=lambda path: (len(path), path))
    return found


def failed_inside(instance_id: UUID, *, number: int) -> list[str]:
    """Return paths of up to ``number`` iterations that failed, and of steps inside some whose undo failed."""
    ended = Q(state__in=(StepState.FAILED, StepState.TIMED_OUT), path__endswith="]")
    undone = Q(state=StepState.COMPENSATION_FAILED, path__contains="].")
    rows = Step.objects.filter(ended | undone, instance_id=instance_id)
    return list(rows.order_by("path").values_list("path", flat=True)[:number])


def last_picks(instance_id: UUID, section: str, *, number: int) -> list[str]:
    """Return the paths of the last ``number`` choices in an ad-hoc section, in the order in which they were made."""
    rows = Step.objects.filter(instance_id=instance_id)
    runs = rows.filter(path=section).values_list("input__runs", flat=True).first() or {}
    paths = [f"{chosen(section, name)}[{index}]" for name, n in runs.items() for index in range(max(0, n - number), n)]
    return list(rows.filter(path__in=paths).order_by("-id").values_list("path", flat=True)[:number])[::-1]


def last_paths(instance_id: UUID, *, number: int) -> list[str]:
    """Return the paths of the last ``number`` steps that an instance has come to, in the order of their beginning."""
    rows = Step.objects.filter(instance_id=instance_id).order_by("-id")
    return list(rows.values_list("path", flat=True)[:number])[::-1]


def last_attempts(instance_id: UUID, *, number: int) -> list[Attempt]:
    """Return an instance's last ``number`` attempts in order of their start."""
    rows = Attempt.objects.filter(instance_id=instance_id).defer("error").annotate(**_error("error"))
    return list(rows.order_by("-started_at", "-id")[:number])[::-1]


def unclaimed(instance_id: UUID, *, number: int) -> list[Dispatch]:
    """Return up to ``number`` steps that no worker has taken yet, the longest waiting first."""
    return list(Dispatch.objects.filter(instance_id=instance_id).order_by("created_at", "id")[:number])


def awaited(instance_id: UUID, *, number: int) -> list[Subscription]:
    """Return up to ``number`` steps that wait for an event, the longest waiting first."""
    return list(Subscription.objects.filter(instance_id=instance_id).order_by("id")[:number])


def history_page(instance_id: UUID, *, first: int, size: int, length: int) -> list[dict[str, Any]]:
    """Return up to ``size`` events from sequence ``first`` on, their data as the first ``length`` + 1 characters."""
    rows = Event.objects.filter(instance_id=instance_id, sequence__gte=first).order_by("sequence")
    fields = ("sequence", "type", "step", "at", "actor")
    return list(rows.values(*fields, text=_beginning("data", length))[:size])


def effects_of(instance_id: UUID, *, number: int) -> Sequence[Effect]:
    """Return the last ``number`` effects of an instance in the order of their planning.

    One that is planned by an attempt that is over is returned as unknown: nobody will say any more what came of it.
    """
    attempt = Attempt.objects.filter(instance_id=instance_id, path=OuterRef("path"), number=OuterRef("number"))
    rows = Effect.objects.filter(instance_id=instance_id).annotate(attempt_state=Subquery(attempt.values("state")[:1]))
    found = list(rows.order_by("-id")[:number])[::-1]
    for row in found:
        if row.state == EffectState.PLANNED and row.attempt_state != AttemptState.RUNNING:
            row.state = EffectState.UNKNOWN
    return found


def audit_of(target: str, *, number: int) -> list[AuditEntry]:
    """Return the last ``number`` entries of the audit trail about ``target``, the newest first."""
    return list(AuditEntry.objects.filter(target=target).defer("hash").order_by("-sequence")[:number])


def artifacts_of(instance_id: UUID, *, number: int) -> list[Artifact]:
    """Return the last ``number`` artifacts that an instance keeps, the newest first."""
    return list(Artifact.objects.filter(instance_id=instance_id).order_by("-id")[:number])


def artifact(instance_id: UUID, digest: str) -> Artifact | None:
    """Return the artifact of an instance with this SHA-256, hexadecimal, or ``None``."""
    return Artifact.objects.filter(instance_id=instance_id, digest=digest).first()


def _time(at: Any) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
