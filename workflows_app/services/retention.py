"""Retention: what is finished is purged, or archived and purged, when its time is over.

An instance's own version says how long it is kept, or the installation's settings where that is silent. What it called
goes with it, but not before a version among them says so too.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from workflows_app.engine.definition.retention import Then
from workflows_app.engine.errors import OrchestratorError
from workflows_app.models import DefinitionVersion
from workflows_app.services import purging

log = logging.getLogger(__name__)

ACTOR = "retention"
"""Who the audit trail says it was."""
MOST_LOOKED_AT = 1000
"""How many instances whose time is over are looked at to say what would go."""
MOST_FAILURES = 3
"""After so many instances of a version that cannot be archived or purged the rest of it waits for the next time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What would go of one version, and where that is more than was looked at, at least so much."""

    workflow: str
    version: str
    keep: float
    then: str
    instances: int
    oldest: datetime

    @property
    def since(self) -> datetime:
        """When the first of them could have gone."""
        return self.oldest + timedelta(seconds=self.keep)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enforced:
    """What went: rows by kind, entries on the audit trail, and instances that could not go, each with the reason."""

    counts: dict[str, int]
    checkpoints: tuple[int, ...] = ()
    failures: tuple[tuple[UUID, str], ...] = ()


def archives() -> bool:
    """Whether anything is to be archived ever."""
    return _those("archive").exists()


def is_set() -> bool:
    """Whether anything is to go ever: the settings or some version say so."""
    return _those("purge", "archive").exists()


def _those(*purposes: str) -> QuerySet[DefinitionVersion]:
    """The versions whose instances meet one of these ends, by themselves or because the settings say so."""
    wanted = Q(retention_then__in=purposes)
    if settings.ORCHESTRATOR_RETENTION is not None and settings.ORCHESTRATOR_RETENTION_THEN in purposes:
        wanted |= Q(retention_then="")
    return DefinitionVersion.objects.filter(wanted)


def due(*, limit: int = MOST_LOOKED_AT) -> list[Due]:
    """Return what would go now, by version; of more than ``limit`` instances the rest is left out."""
    found: dict[int, list[Any]] = defaultdict(list)
    for row in _expired([], [], limit):
        found[row[0]].append(row)
    rows = DefinitionVersion.objects.filter(pk__in=found).select_related("definition")
    versions = {row.pk: row for row in rows.only("version", "retention_seconds", "definition__name")}
    return [
        Due(
            workflow=versions[key].definition.name,
            version=versions[key].version,
            keep=float(versions[key].retention_seconds or settings.ORCHESTRATOR_RETENTION or 0),
            then=rows[0][1],
            instances=len(rows),
            oldest=min(row[4] for row in rows),
        )
        for key, rows in found.items()
    ]


def enforce(*, batches: int | None = None, but: Iterable[UUID] = ()) -> Enforced:
    """Purge, or archive and purge, what nobody keeps any longer, batch by batch, each with its checkpoint.

    Of several that do this at once only one gets to work; the others return at once. What cannot go stays and holds
    nothing else up.

    Args:
        batches: at most so many; ``None``: all.
        but: instances that are left alone.
    """
    total = dict.fromkeys(purging.COUNTED, 0)
    entries: list[int] = []
    left, failed, in_vain = list(but), dict[UUID, str](), Counter[int]()
    number, size = 0, purging.BATCH
    while batches is None or number < batches:
        number += 1
        rows = _expired(left, [version for version, times in in_vain.items() if times >= MOST_FAILURES], size)
        batch = [row for row in rows if row[0] == rows[0][0]]
        if not batch:
            break
        try:
            taken = _take(batch)
        except OrchestratorError as problem:
            log.warning("%s instances cannot go: %s", len(batch), problem.message)
            if len(batch) == 1:
                version, *_, root, _ = batch[0]
                left.append(root)
                failed[root] = problem.message
                in_vain[version] += 1
            size = 1  # one after the other: what holds up one does not hold up the others
            continue
        if taken is None:
            break
        counts, entry = taken
        total = {kind: total[kind] + counts.get(kind, 0) for kind in total}
        entries.append(entry)
    return Enforced(counts=total, checkpoints=tuple(entries), failures=tuple(failed.items()))


def _take(batch: Sequence[Any]) -> tuple[dict[str, int], int] | None:
    """Take instances of one version; ``None`` where somebody else is at it, or none of them can go any more."""
    _, purpose, before, *_ = batch[0]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('workflows_app.retention'))")
        if not cursor.fetchone()[0]:
            return None
        counts, entry = purging.take(
            [row[3] for row in batch],
            before=before,
            actor=ACTOR,
            reason="their retention is over",
            archive="" if purpose == Then.ARCHIVE else None,
        )
    return None if entry is None else (counts, entry)


def _expired(but: list[UUID], versions: list[int], limit: int) -> list[Any]:
    """Return (version, what becomes of it, before, instance, its end) of instances whose time is over.

    Args:
        but: instances that are left out.
        versions: those of which all instances are.
    """
    keep, then = settings.ORCHESTRATOR_RETENTION, settings.ORCHESTRATOR_RETENTION_THEN
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM wf_expired(%s, %s, %s::uuid[], %s::bigint[], %s)", [keep, then, but, versions, limit]
        )
        return list(cursor.fetchall())
