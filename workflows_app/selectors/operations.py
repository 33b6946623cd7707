"""What operations shows: which processes are there, what they run, and what killed them again and again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from workflows_app.engine.commands import TimerKind
from workflows_app.engine.states import AttemptState
from workflows_app.models import Attempt, Timer, Worker
from workflows_app.selectors.attention import IN_QUARANTINE

MOST_RUNNING = 200
"""How many attempts under way are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A worker or sweeper, and up to ``MOST_RUNNING`` attempts that it runs, the longest first."""

    row: Any
    running: list[Attempt]


def running(*, number: int = MOST_RUNNING) -> list[Attempt]:
    """Return up to ``number`` attempts under way, the longest first, with their instances."""
    rows = Attempt.objects.filter(state=AttemptState.RUNNING).defer("error", "progress").select_related("instance")
    only = ("instance__id", "instance__workflow", "path", "number", "worker", "queue", "started_at", "instance")
    return list(rows.only(*only).order_by("started_at", "id")[:number])


def processes(rows: Iterable[Worker], attempts: Iterable[Attempt]) -> list[Process]:
    """Return each process with what it runs; an attempt names its worker, a colon, and the process of its pool."""
    by_worker = defaultdict(list)
    for attempt in attempts:
        by_worker[attempt.worker.rpartition(":")[0]].append(attempt)
    return [Process(row=row, running=by_worker.get(row.name, [])) for row in rows]


def planned(*, number: int) -> list[Timer]:
    """Return the timers of up to ``number`` instances that begin later, the next first, with their instances."""
    rows = Timer.objects.filter(kind=TimerKind.START).select_related("instance").order_by("due_at", "id")
    only = ("due_at", "instance", *(f"instance__{name}" for name in ("workflow", "version", "tags", "started_by")))
    return list(rows.only(*only)[:number])


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A step, or its undo, that was lost with its worker too often in a row, and who had it last."""

    instance: UUID
    workflow: str
    state: str
    path: str
    since: datetime | None
    undo: bool
    worker: str | None


_QUARANTINED = f"""
SELECT s.instance_id, i.workflow, i.state, s.path, s.ended_at, s.undo_error IS NOT NULL, a.worker
FROM (SELECT s.instance_id, s.path, s.ended_at, s.undo_error FROM workflows_app_step s
    WHERE {IN_QUARANTINE} ORDER BY s.ended_at DESC LIMIT %s) s
JOIN workflows_app_instance i ON i.id = s.instance_id
LEFT JOIN LATERAL (SELECT t.worker FROM workflows_app_attempt t
    WHERE t.instance_id = s.instance_id AND t.path = s.path ORDER BY t.number DESC LIMIT 1) a ON true
ORDER BY s.ended_at DESC
"""  # noqa: S608 - constants


def quarantined(*, number: int) -> list[Quarantined]:
    """Return up to ``number`` steps in quarantine, the latest first."""
    names = ("instance", "workflow", "state", "path", "since", "undo", "worker")
    with connection.cursor() as cursor:
        cursor.execute(_QUARANTINED, [number])
        return [Quarantined(**dict(zip(names, row, strict=True))) for row in cursor.fetchall()]
