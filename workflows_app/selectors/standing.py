"""What keeps an instance from going on: who paused it, and which place it waits for."""

from __future__ import annotations

from datetime import datetime

from django.db import connection
from django.db.models import Q

from workflows_app.engine.commands import TimerKind
from workflows_app.engine.events import EventType
from workflows_app.engine.states import INSTANCE_ENDED, InstanceState
from workflows_app.models import (
    Dispatch,
    Event,
    Hold,
    Instance,
    Slot,
    Timer,
)
from workflows_app.selectors.standstill import Standstill
from workflows_app.selectors.waiting import MOST_COUNTED, Wait

CALLERS_WITH_PLACES = """
WITH RECURSIVE callers AS (
    SELECT i.parent_id AS id, i.depth FROM workflows_app_instance i WHERE i.id = %s AND i.awaited
    UNION ALL
    SELECT i.parent_id, i.depth FROM callers c JOIN workflows_app_instance i ON i.id = c.id WHERE i.awaited
)
SELECT c.id FROM callers c JOIN workflows_app_slot s ON s.instance_id = c.id
WHERE s.workflow = %s AND s.key = %s AND s.state <> 'waiting' ORDER BY c.depth DESC
"""


def standstill_of(found: Instance) -> Standstill | None:
    """Return who paused an instance, its workflow, everything, or a queue that it waits for; ``None`` if nobody did."""
    if found.state != InstanceState.PAUSED:
        return None if found.state in INSTANCE_ENDED else _hold_of(found)
    pauses = (EventType.INSTANCE_PAUSED, EventType.INSTANCE_REWOUND)
    event = Event.objects.filter(instance_id=found.pk, type__in=pauses).order_by("-sequence").first()
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


def starts_at(found: Instance) -> datetime | None:
    """Return when a pending instance begins; ``None`` for any other, and for one that waits for something else."""
    if found.state != InstanceState.PENDING:
        return None
    timers = Timer.objects.filter(instance_id=found.pk, path="", kind=TimerKind.START)
    return timers.values_list("due_at", flat=True).first()


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
