"""What the dashboard shows: counts that stop at ten thousand, work in flight, and what ended in the last day.

No statement reads a history. Counts come from indexes, a state at a time, and stop at a bound.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection

from workflows_app.engine.states import InstanceState
from workflows_app.selectors import rows
from workflows_app.selectors.attention import SETS, Concern
from workflows_app.selectors.presence import IS_THERE, SERVED

BOUND: Final = 10_000
"""Where counting stops."""
HOURS: Final = 24

_BY_STATE: Final = """
SELECT s.state, (SELECT count(*) FROM (SELECT 1 FROM workflows_app_instance i WHERE i.state = s.state LIMIT %s) n)
FROM unnest(%s::text[]) s(state)
"""
_QUEUES: Final = f"""
SELECT d.queue, count(*) AS waiting, min(d.created_at) AS oldest, {SERVED} AS served
FROM workflows_app_dispatch d GROUP BY d.queue ORDER BY oldest
"""  # noqa: S608 - a constant
_IN_FLIGHT: Final = """
SELECT a.queue, count(*) FROM workflows_app_attempt a WHERE a.state = 'running' GROUP BY a.queue
"""
_ENDED: Final = """
SELECT date_bin('1 hour', i.ended_at, %s), i.state, count(*) FROM workflows_app_instance i
WHERE i.ended_at >= %s GROUP BY 1, 2
"""
_OF_WORKFLOWS: Final = """
SELECT workflow, count(*) AS ended, count(*) FILTER (WHERE state = 'completed') AS completed,
    count(*) FILTER (WHERE is_failed) AS failed, count(*) FILTER (WHERE state = 'compensated') AS undone,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) FILTER (WHERE state = 'completed') AS p95
FROM (
    SELECT e.workflow, e.state, e.state = ANY(f.states) AS is_failed, e.seconds
    FROM (
        SELECT i.workflow, i.state, extract(epoch FROM i.ended_at - i.started_at) AS seconds
        FROM workflows_app_instance i WHERE i.ended_at >= %s ORDER BY i.ended_at DESC LIMIT %s
    ) e, (SELECT %s::text[] AS states) f
) n GROUP BY workflow ORDER BY failed DESC, ended DESC, workflow LIMIT %s
"""
_THERE: Final = f"""
SELECT count(*) FILTER (WHERE w.kind = 'worker'), count(*) FILTER (WHERE w.kind = 'sweeper')
FROM workflows_app_worker w WHERE {IS_THERE}
"""  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many there are; more than ``BOUND`` are not counted."""

    number: int

    def __str__(self) -> str:
        return f"{BOUND:,}+" if self.number > BOUND else f"{self.number:,}"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """One queue with its work.

    Args:
        waiting: steps that no worker has taken.
        oldest: since when the longest of them waits.
        running: attempts under way.
        served: whether some worker takes messages from it.
    """

    name: str
    waiting: int = 0
    oldest: datetime | None = None
    running: int = 0
    served: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """What became of the instances of one interval: well, badly, and otherwise."""

    begin: datetime
    completed: int = 0
    failed: int = 0
    otherwise: int = 0


FAILED: Final = (InstanceState.FAILED, InstanceState.COMPENSATION_FAILED)


def by_state() -> dict[str, Count]:
    """Return how many instances are in each state, in the order of the state table."""
    states = [state.value for state in InstanceState]
    with connection.cursor() as cursor:
        cursor.execute(_BY_STATE, [BOUND + 1, states])
        found = dict(cursor.fetchall())
    return {state: Count(number=found[state]) for state in states}


def concerned(concern: Concern, *, number: int) -> tuple[Count, list[tuple[UUID, datetime]]]:
    """Return how many instances are of a concern, and ``number`` of them: the longest stuck, the soonest due."""
    statement = f"""
        WITH c AS MATERIALIZED (SELECT instance_id, min(since) AS since FROM ({SETS[concern]}) s GROUP BY 1 LIMIT %s)
        SELECT instance_id, since, (SELECT count(*) FROM c) FROM c ORDER BY since, instance_id LIMIT %s
    """  # noqa: S608 - constants
    with connection.cursor() as cursor:
        cursor.execute(statement, [BOUND + 1, number])
        found = cursor.fetchall()
    return Count(number=found[0][2] if found else 0), [(key, since) for key, since, _ in found]


def queues() -> list[QueueRow]:
    """Return the queues that have work, the one with the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_IN_FLIGHT)
        running = dict(cursor.fetchall())
        cursor.execute(_QUEUES)
        found = [
            QueueRow(name=name, waiting=waiting, oldest=oldest, running=running.pop(name, 0), served=served)
            for name, waiting, oldest, served in cursor.fetchall()
        ]
    return found + [QueueRow(name=name, running=number) for name, number in sorted(running.items())]


def throughput(now: datetime) -> list[Interval]:
    """Return what ended in each of the last 24 hours, the present one included, the earliest first."""
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    counted: dict[datetime, dict[str, int]] = {first + timedelta(hours=n): {} for n in range(HOURS)}
    with connection.cursor() as cursor:
        cursor.execute(_ENDED, [first, first])
        for begin, state, number in cursor.fetchall():
            if begin in counted:  # not what ends after ``now``
                counted[begin][state] = number
    return [_interval(begin, states) for begin, states in counted.items()]


def _interval(begin: datetime, states: dict[str, int]) -> Interval:
    failed = sum(states.pop(state.value, 0) for state in FAILED)
    completed = states.pop(InstanceState.COMPLETED.value, 0)
    return Interval(begin=begin, completed=completed, failed=failed, otherwise=sum(states.values()))


def ended_since(at: datetime, states: Collection[InstanceState]) -> Count:
    """Return how many instances have ended in one of these states since ``at``."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT 1 FROM workflows_app_instance i "
            "WHERE i.ended_at >= %s AND i.state = ANY(%s) LIMIT %s) n",
            [at, [state.value for state in states], BOUND + 1],
        )
        return Count(number=cursor.fetchone()[0])


def last_failed(since: datetime, *, number: int) -> list[dict[str, Any]]:
    """Return the last ``number`` instances that failed since then, with their errors."""
    return rows.named(
        "SELECT i.id, i.workflow, i.correlation_id, i.state, i.ended_at, i.error->>'code' AS code, "
        "left(i.error->>'message', 200) AS message FROM workflows_app_instance i "
        "WHERE i.ended_at >= %s AND i.state = ANY(%s) ORDER BY i.ended_at DESC, i.id LIMIT %s",
        [since, [state.value for state in FAILED], number],
    )


def of_workflows(since: datetime, *, number: int) -> list[dict[str, Any]]:
    """Return how the workflows did whose instances ended since then, those with the most failures first.

    Of the newest ``BOUND`` that ended: ``workflow``, ``ended``, ``completed``, ``failed``, ``undone``, and ``p95``, the
    seconds that 95 of 100 of the completed took at most.
    """
    return rows.named(_OF_WORKFLOWS, [since, BOUND, [state.value for state in FAILED], number])


def there() -> tuple[int, int]:
    """Return how many workers and how many sweepers are there."""
    with connection.cursor() as cursor:
        cursor.execute(_THERE)
        workers, sweepers = cursor.fetchone()
        return int(workers), int(sweepers)
