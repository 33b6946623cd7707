"""Arrivals: events reach what waits for them. Recording a decision publishes its events and notes who waits; a ticket
for each instance that may have something to take commits with them; who holds the instance's row looks, and decides.

The process that wrote the tickets looks at once, after its commit. What it does not get to, because it dies, because an
instance is locked at that moment or because there are too many, the sweeper finds.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction

from workflows_app import failpoints
from workflows_app.engine import stored
from workflows_app.engine.commands import Publish, Subscribe, Unsubscribe
from workflows_app.engine.transitions import Decision, EventArrived
from workflows_app.models import Consumption

log = logging.getLogger(__name__)

AT_ONCE = 50
"""Instances that the process that published looks at itself; the sweeper sees to the others."""
PASSED_AT_ONCE = 100
"""Events that one transaction passes over at most."""
PARKED = timedelta(minutes=1)
"""How long an instance that an unexpected error holds up is left alone."""


class Take(Protocol):
    """``decisions.take``: handed in, as recording a decision leads here and an arrival leads to a decision."""

    def __call__(self, *, instance_id: UUID, occurrence: EventArrived, about: str, actor: str) -> Decision: ...


def record(instance_id: UUID, decision: Decision) -> list[UUID]:
    """Publish a decision's events and note what begins and ends to wait, in the caller's transaction.

    Returns:
        The instances to hand over to once that has committed.
    """
    document = _net_commands(decision)
    return publish(instance_id, document, actor="engine") if document else []


def concerns(decision: Decision) -> bool:
    """Whether a decision has anything to do with events."""
    return any(isinstance(command, Publish | Subscribe | Unsubscribe) for command in decision.commands)


def publish(instance_id: UUID | None, document: dict[str, Any], *, actor: str) -> list[UUID]:
    """Write events and waiting as ``wf_events`` takes them; return the instances to hand over to."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM wf_events(%s, %s, %s, %s)",
            [instance_id, json.dumps(document, allow_nan=False), actor[:200], settings.ORCHESTRATOR_EVENT_RETENTION],
        )
        return list(dict.fromkeys(row[0] for row in cursor))


def _net_commands(decision: Decision) -> dict[str, Any]:
    """Reduce the commands to what remains of them; who waited and settled in one decision never waited."""
    published: list[dict[str, Any]] = []
    begun: dict[str, dict[str, Any]] = {}
    ended: list[str] = []
    for command in decision.commands:
        match command:
            case Publish():
                published.append(
                    {"type": command.event, "key": command.key, "data": command.data, "step": command.step}
                )
            case Subscribe():
                begun[command.step] = {"path": command.step, "type": command.event, "key": command.key}
            case Unsubscribe():
                if begun.pop(command.step, None) is None:
                    ended.append(command.step)
    document = {"published": published, "subscribed": list(begun.values()), "unsubscribed": ended}
    return {key: value for key, value in document.items() if value}


class _Work(threading.local):
    """What one thread hands over: an arrival may lead to the next, which waits its turn instead of nesting."""

    queue: deque[UUID] | None = None


_work = _Work()


def hand_over_later(instance_ids: list[UUID], take: Take) -> None:
    """Hand over as soon as the transaction at hand has committed."""
    if instance_ids:
        transaction.on_commit(lambda: _after_commit(instance_ids, take), robust=True)


def _after_commit(instance_ids: list[UUID], take: Take) -> None:
    failpoints.hit("event.committed")
    hand_over(instance_ids, take)


def hand_over(instance_ids: Iterable[UUID], take: Take, *, limit: int = AT_ONCE) -> int:
    """Let instances take the events that have come for them.

    Args:
        instance_ids: instances with a ticket.
        take: ``decisions.take``.
        limit: how many instances are looked at, those included that an event published meanwhile wakes.

    Returns:
        How many events were taken.
    """
    if _work.queue is not None:
        _work.queue.extend(instance_ids)
        return 0
    _work.queue = deque(instance_ids)
    taken = 0
    try:
        while _work.queue and limit > 0:
            limit -= 1
            instance_id = _work.queue.popleft()
            with _apart(instance_id):
                taken += _hand_over(instance_id, take)
    finally:
        _work.queue = None
    return taken


def _hand_over(instance_id: UUID, take: Take) -> int:
    """Let one instance take what has come, a transaction for each event; return how many it took."""
    taken = 0
    while _next(instance_id, take):
        taken += 1
    return taken


def _next(instance_id: UUID, take: Take) -> bool:
    """Hand over the next event that a step takes, and pass over those before it; ``False`` if there is none."""
    with transaction.atomic(), connection.cursor() as cursor:
        # Locked: whoever holds it may be about to end the waiting. The tickets stay, and the sweeper comes back.
        cursor.execute("SELECT 1 FROM workflows_app_instance WHERE id = %s FOR UPDATE SKIP LOCKED", [instance_id])
        if cursor.fetchone() is None:
            cursor.execute(
                "DELETE FROM workflows_app_wakeup WHERE instance_id = %s "
                "AND NOT EXISTS (SELECT 1 FROM workflows_app_instance WHERE id = %s)",
                [instance_id, instance_id],
            )
            return False
        cursor.execute("SELECT wf_tickets(%s)", [instance_id])
        looking: list[int] = cursor.fetchone()[0] or []
        for _ in range(PASSED_AT_ONCE if looking else 0):
            cursor.execute("SELECT wf_arrival(%s)", [looking])
            row = cursor.fetchone()[0]
            if row is None:
                return False
            arrival = stored.loads(row)
            path, event = arrival["path"], arrival["event"]
            occurrence = EventArrived(step=path, event=event)
            decision = take(instance_id=instance_id, occurrence=occurrence, about=path, actor=event["source"]["actor"])
            if decision.events:
                Consumption.objects.create(instance_id=instance_id, event_id=event["id"])
                looking.remove(arrival["subscription"])
                cursor.execute("SELECT wf_look_later(%s)", [looking])
                return True
            is_signal = event["correlate"] is None
            cursor.execute("SELECT wf_passed(%s, %s, %s)", [arrival["subscription"], event["id"], is_signal])
        cursor.execute("SELECT wf_look_later(%s)", [looking])
    return False


def waiting(limit: int) -> list[UUID]:
    """Return instances with a ticket that is due, the longest waiting first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT instance_id FROM workflows_app_wakeup WHERE due_at <= wf_clock() "
            "GROUP BY instance_id ORDER BY min(due_at) LIMIT %s",
            [limit],
        )
        return [row[0] for row in cursor.fetchall()]


def expire(limit: int) -> int:
    """Remove up to ``limit`` events whose retention is over; return how many."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT wf_expire(%s)", [limit])
        return int(cursor.fetchone()[0])


@contextmanager
def _apart(instance_id: UUID) -> Iterator[None]:
    """Keep the trouble of one instance to itself; only a database that is gone stops the others."""
    try:
        yield
    except Exception as problem:
        if isinstance(problem, OperationalError | InterfaceError) and not connection.is_usable():
            raise
        log.exception("the events for %s cannot be handed over; tried again later", instance_id)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE workflows_app_wakeup SET due_at = wf_clock() + %s * interval '1 second' WHERE instance_id = %s",
                [PARKED.total_seconds(), instance_id],
            )
