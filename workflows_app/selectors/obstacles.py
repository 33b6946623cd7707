"""Obstacles: why an instance is not moving. One read model for pages, lists, the dashboard and commands.

Everything is a stored fact: pauses and holds, slots, attempts with their leases, tickets that no worker took, timers,
subscriptions, called instances, and the signs of life of workers and sweepers. However many instances are asked about,
the number of statements is the same, and each reads work in flight only, never a history.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any
from uuid import UUID

from workflows_app.engine.paths import split
from workflows_app.engine.states import INSTANCE_ENDED, InstanceState
from workflows_app.models import Hold
from workflows_app.selectors import obstacle_sentences as words
from workflows_app.selectors import presence, rows, standing, waiting, written
from workflows_app.selectors.obstacle_queries import (
    CALLED,
    INSTANCES,
    PEOPLE,
    RUNNING,
    SUBSCRIPTIONS,
    TICKETS,
    TIMERS,
)

QUEUED_LONG = timedelta(seconds=60)
"""A ticket that no worker took for so long is stuck."""
OVERDUE = timedelta(seconds=15)
"""A timer, or a lease, that is over for so long has been overlooked: what looks for it does not run."""
ABSENT = "EXECUTOR_NOT_FOUND"
LIMITED = "RATE_LIMITED"


Going = Mapping[UUID, dict[str, Any]]
"""Rows of the instances that have not ended, each with what its version says (``written``)."""


class Kind(IntEnum):
    """What stands in the way; the smaller one is said first."""

    PAUSED = 0
    HELD = 1
    OVERDUE = 2
    LOST = 3
    NO_WORKER = 4
    NO_ACTIVITY = 5
    RUNNING = 6
    QUEUED = 7
    RETRY = 8
    TURN = 9
    SLOT = 10
    PEOPLE = 11
    EVENT = 12
    CALLED = 13
    TIME = 14
    PLANNED = 15
    SOON = 16

    @property
    def word(self) -> str:
        """The name in documents: ``no_worker``."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """One thing that an instance waits for, or does.

    Args:
        kind: what it is.
        sentence: the same for people.
        step: path of the step that it is about; empty for the instance itself.
        since: since when, if that is known.
        until: when it is over by itself, if it is.
        stuck: nobody is going to remove it by himself: somebody has to look.
    """

    kind: Kind
    sentence: str
    step: str = ""
    since: datetime | None = None
    until: datetime | None = None
    stuck: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return it as documents have it."""
        times = {"since": self.since, "until": self.until}
        said = {name: at.isoformat().replace("+00:00", "Z") if at else None for name, at in times.items()}
        return {
            "kind": self.kind.word,
            "sentence": self.sentence,
            "step": self.step or None,
            **said,
            "stuck": self.stuck,
        }


def of(instances: Collection[UUID], *, now: datetime | None = None) -> dict[UUID, list[Obstacle]]:
    """Return what each of these instances waits for, what matters most first; one that has ended has nothing.

    Args:
        now: the time; the database's by default.
    """
    now = now or presence.clock()
    asked = {row["id"]: row for row in _rows(INSTANCES, [*instances])}
    going = {key: row for key, row in asked.items() if row["state"] not in INSTANCE_ENDED}
    found: dict[UUID, list[Obstacle]] = {key: [] for key in asked}
    if not going:
        return found
    versions = written.of_versions(row["version_id"] for row in going.values())
    for row in going.values():
        row["written"] = versions[row["version_id"]]
    keys = [*going]
    _paused(found, going)
    _holds(found, going)
    _running(found, going, now)
    _tickets(found, going, now)
    _timers(found, going, now)
    _slots(found, keys)
    for row in _named(SUBSCRIPTIONS, going):
        _add(found, row, Kind.EVENT, words.event(row), since=row["since"])
    for row in _named(CALLED, going):
        _add(found, row, Kind.CALLED, words.called(row), since=row["since"])
    silent = [key for key in keys if not found[key]]
    for row in _named(PEOPLE, {key: going[key] for key in silent}):
        _add(found, row, Kind.PEOPLE, words.people(row), since=row["since"])
    for key in silent:
        if not found[key]:
            found[key].append(Obstacle(kind=Kind.SOON, sentence=words.soon(going[key])))
    for each in found.values():
        each.sort(key=lambda obstacle: obstacle.kind)
    return found


def of_one(instance_id: UUID) -> list[Obstacle]:
    """Return what one instance waits for; see ``of``."""
    return of([instance_id]).get(instance_id, [])


def state_of(state: str, why: Sequence[Obstacle]) -> str:
    """Return an instance's state as pages name it: one that runs on while something is tried again is *retrying*."""
    return "retrying" if state == "running" and why and why[0].kind in (Kind.RETRY, Kind.NO_ACTIVITY) else state


def sentence(obstacles: Sequence[Obstacle], *, most: int = 1) -> str:
    """Say why an instance does not move, or what it does; empty for one that has ended.

    Args:
        obstacles: what ``of`` returned.
        most: how many of them are told; the others are counted.
    """
    if not obstacles:
        return ""
    if most == 1 and obstacles[0].kind in (Kind.PAUSED, Kind.HELD):
        return obstacles[0].sentence
    every = list(dict.fromkeys(each.sentence for each in obstacles))
    return " ".join([*every[:most], words.more(len(every) - most)]).strip()


def _add(
    found: dict[UUID, list[Obstacle]],
    row: Mapping[str, Any],
    kind: Kind,
    said: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    stuck: bool = False,
) -> None:
    found[row["instance_id"]].append(
        Obstacle(kind=kind, sentence=said, step=row.get("path") or "", since=since, until=until, stuck=stuck)
    )


def _paused(found: dict[UUID, list[Obstacle]], going: Going) -> None:
    for key, row in going.items():
        if row["state"] == InstanceState.PAUSED:
            said = words.paused(row)
            found[key].append(Obstacle(kind=Kind.PAUSED, sentence=said, since=row["paused_at"]))


def _holds(found: dict[UUID, list[Obstacle]], going: Going) -> None:
    holds = list(Hold.objects.order_by("id"))
    if not holds:
        return
    queues = defaultdict(set)
    for ticket in _rows(TICKETS, going):
        queues[ticket["instance_id"]].add(ticket["queue"])
    for key, row in going.items():
        for hold in holds:
            mine = (
                hold.kind == "all"
                or (hold.kind == "definition" and hold.name == row["workflow"])
                or (hold.kind == "queue" and hold.name in queues[key])
            )
            if mine:
                found[key].append(Obstacle(kind=Kind.HELD, sentence=words.held(hold), since=hold.since))
                break


def _running(found: dict[UUID, list[Obstacle]], going: Going, now: datetime) -> None:
    for row in _named(RUNNING, going):
        lost = now - row["due"] > OVERDUE
        kind = Kind.LOST if lost else Kind.RUNNING
        said = words.lost(row, now) if lost else words.running(row, now)
        _add(found, row, kind, said, since=row["started_at"], stuck=lost)


def _tickets(found: dict[UUID, list[Obstacle]], going: Going, now: datetime) -> None:
    for row in _named(TICKETS, going):
        if any(each.kind is Kind.HELD for each in found[row["instance_id"]]):
            continue
        kind = Kind.QUEUED if row["served"] else Kind.NO_WORKER
        stuck = now - row["since"] > QUEUED_LONG
        _add(found, row, kind, words.queued(row, now), since=row["since"], stuck=stuck)


def _timers(found: dict[UUID, list[Obstacle]], going: Going, now: datetime) -> None:
    for row in _named(TIMERS, going):
        if now - row["due_at"] > OVERDUE:
            _add(found, row, Kind.OVERDUE, words.overdue(row, now), since=row["due_at"], stuck=True)
        elif row["kind"] == "start":
            _add(found, row, Kind.PLANNED, words.planned(row["due_at"]), until=row["due_at"])
        elif row["kind"] != "retry":
            _add(found, row, Kind.TIME, words.time(row), until=row["due_at"])
        elif row["code"] == ABSENT:
            _add(found, row, Kind.NO_ACTIVITY, words.absent(row), until=row["due_at"], stuck=True)
        elif row["code"] == LIMITED:
            _add(found, row, Kind.TURN, words.turn(row, now), until=row["due_at"])
        else:
            most = _own_attempts(going[row["instance_id"]]["overridden"], row["path"])
            most = row["written"].most(row["path"]) if most is None else most
            _add(found, row, Kind.RETRY, words.retry(row, now, most=most), until=row["due_at"])


def _slots(found: dict[UUID, list[Obstacle]], keys: Sequence[UUID]) -> None:
    for key, wait in standing.waits(keys).items():
        found[key].append(Obstacle(kind=Kind.SLOT, sentence=waiting.sentence(wait)))


def _own_attempts(overridden: str | None, path: str) -> int | None:
    """Return how many attempts an instance itself grants a step; one of a state machine is called by its transition."""
    around, name = split(path)
    steps = {} if overridden is None else json.loads(overridden)
    own = steps.get(name) or steps.get(f"{around.partition('[')[0]}.{name}") or {}
    return own.get("max_attempts")


def _named(statement: str, going: Going) -> list[dict[str, Any]]:
    """Return rows about steps with ``written``, what their version says, and ``named``, the step in a sentence."""
    found = _rows(statement, going)
    for row in found:
        row["written"] = going[row["instance_id"]]["written"]
        row["named"] = row["written"].named(row["path"])
    return found


def _rows(statement: str, keys: Iterable[UUID]) -> list[dict[str, Any]]:
    wanted = [str(key) for key in keys]
    if not wanted:
        return []
    return rows.named(statement, [wanted])
