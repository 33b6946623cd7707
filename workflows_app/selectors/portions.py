"""What a page shows of one instance: so many rows, so many characters of each value, whatever it holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, Subquery, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Left

from workflows_app.engine.events import EventType
from workflows_app.engine.paths import chosen
from workflows_app.engine.states import AttemptState, EffectState, StepState
from workflows_app.models import (
    Artifact,
    Attempt,
    AuditEntry,
    DefinitionVersion,
    Dispatch,
    Effect,
    Event,
    Instance,
    Step,
    Timer,
)

MESSAGE_LENGTH = 500


def children(instance_id: UUID, *, number: int) -> list[Instance]:
    """Return up to ``number`` instances that the steps of one called, in order of the steps' paths, then of time."""
    rows = Instance.objects.filter(parent_id=instance_id).order_by("parent_path", "created_at", "id")
    return list(rows.only("id", "parent_path", "workflow", "version", "state", "created_at")[:number])


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

    ``has_other_version`` says whether its workflow has another version that is not deprecated.

    Args:
        length: characters of each value; one more tells that it was cut.
    """
    large = ("input", "variables", "output", "error")
    others = DefinitionVersion.objects.filter(definition=OuterRef("definition_version__definition"), deprecated=False)
    return (
        Instance.objects.filter(pk=instance_id)
        .select_related("definition_version")
        .defer(*large, "machine_queue", "head_hash", "definition_version__source")
        .annotate(**{f"{name}_text": _beginning(name, length) for name in large}, **_error("error"))
        .annotate(has_other_version=Exists(others.exclude(pk=OuterRef("definition_version"))))
        .first()
    )


def step_rows(instance_id: UUID, paths: Iterable[str]) -> dict[str, Step]:
    """Return the rows of these steps by path, with ``error_code``, ``undo_error_message`` … for their values."""
    rows = Step.objects.filter(instance_id=instance_id, path__in=list(paths))
    rows = rows.defer("input", "undo_input", "output", "error", "undo_error")
    return {row.path: row for row in rows.annotate(**_error("error"), **_error("undo_error"))}


def step_states(instance_id: UUID, paths: Iterable[str]) -> dict[str, str]:
    """Return the states of those of these steps that something has happened to, by path."""
    rows = Step.objects.filter(instance_id=instance_id, path__in=list(paths))
    return dict(rows.values_list("path", "state"))


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


def history_page(instance_id: UUID, *, first: int, size: int, length: int) -> list[dict[str, Any]]:
    """Return up to ``size`` events from sequence ``first`` on, their data as the first ``length`` + 1 characters."""
    rows = Event.objects.filter(instance_id=instance_id, sequence__gte=first).order_by("sequence")
    fields = ("sequence", "type", "step", "at", "actor")
    return list(rows.values(*fields, text=_beginning("data", length))[:size])


def needless_undos(instance_id: UUID, *, number: int) -> list[str]:
    """Return paths of steps that need no undo, as its condition said when the instance was last undone.

    Args:
        number: how many at most, in the order in which it was found.
    """
    rows = Event.objects.filter(instance_id=instance_id)
    begun = rows.filter(type=EventType.INSTANCE_COMPENSATING).order_by("-sequence").values("sequence")[:1]
    found = rows.filter(type=EventType.STEP_UNDO_UNNEEDED, sequence__gt=Subquery(begun)).order_by("sequence")
    return list(found.values_list("step", flat=True)[:number])


def effects_of(instance_id: UUID, *, number: int, queries: bool = False) -> Sequence[Effect]:
    """Return the last ``number`` effects of an instance, or its queries, in the order in which they began.

    One that is planned by an attempt that is over is returned as unknown: nobody will say any more what came of it.
    """
    attempt = Attempt.objects.filter(instance_id=instance_id, path=OuterRef("path"), number=OuterRef("number"))
    rows = Effect.objects.filter(instance_id=instance_id, is_query=queries).annotate(
        attempt_state=Subquery(attempt.values("state")[:1])
    )
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
