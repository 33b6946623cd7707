"""The sweep: whatever was forgotten by a broker, a worker or a process that died is found in the database and goes on.

Any number of sweepers may run, side by side: every act is fenced by the row that it is about, so that none is done
twice. Nothing that concerns one instance may hold up the others: a locked instance is passed over until the next pass,
and one whose row cannot be dealt with is left alone for a minute.
"""

from __future__ import annotations

import logging
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F

from workflows_app import dispatch
from workflows_app.engine.commands import Dispatch, TimerKind
from workflows_app.engine.transitions import AttemptLost, AttemptTimedOut, Occurrence, StaleOccurrence, TimerFired
from workflows_app.models import Attempt, Instance
from workflows_app.models import Dispatch as DispatchRow
from workflows_app.services import arrivals, beginnings, cached_results, calls, decisions, graphs, slots

log = logging.getLogger(__name__)

BATCH = 200
"""Rows of each kind that one pass handles, so that no pass lasts long."""
PARKED = timedelta(minutes=1)
"""How long something that an unexpected error holds up is left alone, so that it does not hold up the others."""

HELD = timedelta(seconds=10)
"""How long a start is put off that has come due while an operator holds its workflow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What one pass did, in counts; ``next_due`` is the seconds until the next timer, if any is set."""

    timers: int = 0
    lost: int = 0
    timed_out: int = 0
    published: int = 0
    sent_again: int = 0
    begun: int = 0
    forgotten: int = 0
    events: int = 0
    expired: int = 0
    handed_over: int = 0
    next_due: float | None = None


def run() -> Swept:
    """Do one pass: overdue attempts, events, due timers, granted slots, held-back and lost messages, what expired."""
    lost, timed_out = end_overdue_attempts()
    events = hand_over_events()  # before timers: what has come in time has come
    timers = fire_timers()
    begun = slots.start_granted(decisions.begin, limit=BATCH)
    handed_over = hand_over()
    published = _publish(_rows("SELECT * FROM wf_refill(%s)", settings.ORCHESTRATOR_WINDOW))
    again = send_again()
    return Swept(
        timers=timers,
        lost=lost,
        timed_out=timed_out,
        published=published,
        sent_again=again,
        begun=begun,
        forgotten=cached_results.forget(BATCH),
        events=events,
        expired=arrivals.expire(BATCH),
        handed_over=handed_over,
        next_due=_seconds_to_next_timer(),
    )


def end_overdue_attempts() -> tuple[int, int]:
    """End attempts whose lease or time-out has passed; return how many were lost and how many timed out."""
    counts = {AttemptLost: 0, AttemptTimedOut: 0}
    for instance_id, path, number in _rows("SELECT * FROM wf_overdue(%s)", BATCH):
        key = {"instance_id": instance_id, "path": path, "number": number}
        with _apart(f"attempt {number} of {path} in {instance_id}", partial(_park_attempt, **key)):
            kind = _end(instance_id, path, number)
            if kind is not None:
                counts[kind] += 1
    return counts[AttemptLost], counts[AttemptTimedOut]


@contextmanager
def _apart(what: str, park: Callable[[], None]) -> Iterator[None]:
    """Keep the trouble of one row to itself; only a database that is gone stops the pass."""
    try:
        yield
    except StaleOccurrence as stale:
        log.info("%s: %s", what, stale.message)
        park()
    except Exception as problem:
        if isinstance(problem, OperationalError | InterfaceError) and not connection.is_usable():
            raise
        log.exception("%s cannot be dealt with; tried again later", what)
        park()


def _park_attempt(**key: Any) -> None:
    Attempt.objects.filter(**key, state="running").update(
        lease_expires_at=F("lease_expires_at") + PARKED, timeout_at=F("timeout_at") + PARKED
    )


def _end(instance_id: UUID, path: str, number: int) -> type[AttemptLost] | type[AttemptTimedOut] | None:
    with transaction.atomic(), connection.cursor() as cursor:
        if not _free(cursor, instance_id):
            return None
        cursor.execute(
            "SELECT timeout_at <= wf_clock(), lease_expires_at <= wf_clock(), "
            "extract(epoch FROM timeout_at - started_at)::float FROM workflows_app_attempt "
            "WHERE instance_id = %s AND path = %s AND number = %s AND state = 'running' FOR UPDATE",
            [instance_id, path, number],
        )
        row = cursor.fetchone()
        if row is None or not (row[0] or row[1]):
            return None
        occurrence: AttemptLost | AttemptTimedOut
        if row[0]:
            jitter = random.random()  # noqa: S311 - spreads retries, no secret
            occurrence = AttemptTimedOut(step=path, number=number, seconds=row[2], jitter=jitter)
        else:
            occurrence = AttemptLost(step=path, number=number, max_losses=settings.ORCHESTRATOR_MAX_LOSSES)
        decisions.take(instance_id=instance_id, occurrence=occurrence, about=path, actor="timer")
        return type(occurrence)


def _free(cursor: Any, instance_id: UUID) -> bool:
    """Lock the instance unless another session holds it: the next pass is soon enough."""
    cursor.execute("SELECT 1 FROM workflows_app_instance WHERE id = %s FOR UPDATE SKIP LOCKED", [instance_id])
    return cursor.fetchone() is not None


def fire_timers() -> int:
    """Fire what is due, the oldest first; return how many did something."""
    due = _rows(
        "SELECT id, instance_id, path, kind FROM workflows_app_timer WHERE due_at <= wf_clock() "
        "ORDER BY due_at LIMIT %s",
        BATCH,
    )
    fired = 0
    for key, instance_id, path, kind in due:
        with _apart(f"the {kind} timer of {path or 'the instance'} in {instance_id}", partial(_park_timer, key)):
            fired += _fire(key, instance_id, path, TimerKind(kind))
    return fired


def _park_timer(key: int, pause: timedelta = PARKED) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE workflows_app_timer SET due_at = wf_clock() + %s * interval '1 second' WHERE id = %s",
            [pause.total_seconds(), key],
        )


def _fire(key: int, instance_id: UUID, path: str, kind: TimerKind) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        if not _free(cursor, instance_id):
            return False
        if kind is TimerKind.START and beginnings.is_held(instance_id):
            _park_timer(key, HELD)
            return False
        # The timer's row is the ticket: cleared or moved in between, it fires nothing.
        cursor.execute("DELETE FROM workflows_app_timer WHERE id = %s AND due_at <= wf_clock()", [key])
        if not cursor.rowcount:
            return False
        fired = TimerFired(step=path, kind=kind)
        occurrence: Occurrence | None = fired
        if kind is TimerKind.START:
            row = Instance.objects.only("definition_version_id", "overrides").get(pk=instance_id)
            occurrence = beginnings.of(instance_id, graphs.of_row(row).definition, fired)
        if occurrence is None:
            return False
        try:
            decisions.take(instance_id=instance_id, occurrence=occurrence, about=path or None, actor="timer")
        except StaleOccurrence as stale:
            log.info("the %s timer of %s in %s has nothing to do: %s", kind, path, instance_id, stale.message)
            return False
        return True


def hand_over_events() -> int:
    """Let instances take events that nobody has handed over to them; return how many were taken."""
    return arrivals.hand_over(arrivals.waiting(BATCH), decisions.take, limit=BATCH)


def hand_over() -> int:
    """Hand over what instances tell those that they called, or that called them; return how many did something."""
    handed = 0
    for key, what in calls.due(BATCH):
        with _apart(what, partial(calls.park, key, PARKED)):
            handed += calls.hand_over(key, wait=False)
    return handed


def send_again() -> int:
    """Send what the broker seems to have lost: overtaken messages, and all of a queue that is empty."""
    if dispatch.is_away():
        return 0
    _know_queues()
    seconds = settings.ORCHESTRATOR_RESEND_SECONDS
    quiet = [row[0] for row in _rows("SELECT * FROM wf_quiet_queues(%s)", seconds)]
    if not quiet:
        return 0
    empty = [name for name in quiet if dispatch.depth(name) == 0]
    return _publish(_rows("SELECT * FROM wf_resend(%s, %s, %s)", seconds, empty, settings.ORCHESTRATOR_WINDOW))


def _know_queues() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO workflows_app_queue (name, claimed_through) "
            "SELECT DISTINCT d.queue, '-infinity'::timestamptz FROM workflows_app_dispatch d "
            "WHERE NOT EXISTS (SELECT 1 FROM workflows_app_queue q WHERE q.name = d.queue) ON CONFLICT DO NOTHING"
        )


def _publish(rows: Iterable[tuple[UUID, str, int, str, float]]) -> int:
    """Publish rows that are marked as published and committed; stop at the first refusal of the broker."""
    of_instance: dict[UUID, list[Dispatch]] = defaultdict(list)
    for instance_id, path, generation, queue, timeout in rows:
        of_instance[instance_id].append(Dispatch(step=path, generation=generation, queue=queue, timeout=timeout))
    rows = Instance.objects.only("definition_version_id", "overrides").in_bulk(of_instance)
    sent = 0
    while of_instance:
        instance_id, dispatches = of_instance.popitem()
        graph = graphs.of_row(rows[instance_id])
        # What an operator has renamed by migrating it since the rows were read has another ticket.
        dispatches = [each for each in dispatches if each.step in graph]
        if not dispatch.publish(instance_id, graph, dispatches):
            # Each further refusal could take as long as the broker's time-out; timers must not wait for that.
            DispatchRow.objects.filter(instance_id__in=of_instance).update(published_at=None)
            break
        sent += len(dispatches)
    return sent


def _seconds_to_next_timer() -> float | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM least((SELECT min(due_at) FROM workflows_app_timer), "
            "(SELECT min(due_at) FROM workflows_app_wakeup), "
            "(SELECT min(due_at) FROM workflows_app_notice), "
            "(SELECT min(timeout_at) FROM workflows_app_attempt WHERE state = 'running'), "
            "(SELECT min(lease_expires_at) FROM workflows_app_attempt WHERE state = 'running')) - wf_clock())::float"
        )
        row = cursor.fetchone()
    return None if row is None or row[0] is None else float(row[0])


def _rows(query: str, *parameters: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())
