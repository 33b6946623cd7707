"""What keeps an instance from going on: who paused it, and which place it waits for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from workflows_app.engine.commands import TimerKind
from workflows_app.engine.events import EventType
from workflows_app.engine.states import INSTANCE_ENDED, InstanceState
from workflows_app.models import (
    Dispatch,
    Event,
    Hold,
    Instance,
    Timer,
)
from workflows_app.selectors import rows, written
from workflows_app.selectors.standstill import Standstill
from workflows_app.selectors.waiting import MOST_COUNTED, Wait

# The place is held by the one that has had it longest; the callers are those that wait for the instance, nearest first,
# and have places that it waits for.
SLOTS = """
SELECT m.instance_id, m.key, m.places, m.state, h.instance_id AS holder, b.number AS before, c.ids AS callers,
    i.definition_version_id AS version_id
FROM workflows_app_slot m JOIN workflows_app_instance i ON i.id = m.instance_id
LEFT JOIN LATERAL (
    SELECT o.instance_id FROM workflows_app_slot o
    WHERE m.state = 'waiting' AND o.workflow = m.workflow AND o.key = m.key AND o.state <> 'waiting'
    ORDER BY o.id LIMIT 1
) h ON true
CROSS JOIN LATERAL (
    SELECT count(*) AS number FROM (
        SELECT 1 FROM workflows_app_slot o
        WHERE m.state = 'waiting' AND o.workflow = m.workflow AND o.key = m.key AND o.state = 'waiting' AND o.id < m.id
        LIMIT %(most)s
    ) n
) b
LEFT JOIN LATERAL (
    WITH RECURSIVE callers AS (
        SELECT i.parent_id AS id, i.depth WHERE i.awaited AND m.state = 'waiting'
        UNION ALL
        SELECT p.parent_id, p.depth FROM callers c JOIN workflows_app_instance p ON p.id = c.id WHERE p.awaited
    )
    SELECT array_agg(c.id ORDER BY c.depth DESC) AS ids FROM callers c JOIN workflows_app_slot s ON s.instance_id = c.id
    WHERE s.workflow = m.workflow AND s.key = m.key AND s.state <> 'waiting'
) c ON true
WHERE m.instance_id = ANY(%(ids)s::uuid[]) AND m.state <> 'taken'
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
    return waits([found.pk]).get(found.pk) if found.state == InstanceState.PENDING else None


def waits(instances: Iterable[UUID]) -> dict[UUID, Wait]:
    """Return which place each of these instances waits for; one that waits for none is left out."""
    found = rows.named(SLOTS, {"ids": [str(key) for key in instances], "most": MOST_COUNTED})
    versions = written.of_versions(row["version_id"] for row in found)
    return {row["instance_id"]: _wait(row, versions[row["version_id"]].place) for row in found}


def _wait(row: Mapping[str, Any], place: str | None) -> Wait:
    # Callers that hold all its places end only after it: it cannot come to its turn.
    callers = row["callers"] or []
    return Wait(
        key=row["key"],
        written=place,
        limit=row["places"],
        before=row["before"],
        granted=row["state"] == "granted",
        held_by=str(callers[0]) if len(callers) >= row["places"] else None,
        holder=str(row["holder"]) if row["holder"] else None,
    )
