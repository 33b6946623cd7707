"""Purging: whole finished instances are deleted, with all that they called; a signed checkpoint stays behind.

Where they are archived, that is done first, in the same transaction, and the checkpoint names the archives. What goes
together: an instance that nobody called, and every instance below it. Content outside the database goes while their
rows are locked; what is interrupted before the commit leaves rows without content, which the next purge deletes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from workflows_app.archives import places
from workflows_app.artifacts import store
from workflows_app.engine.errors import NotFound, StateForbids
from workflows_app.models import Artifact, Instance
from workflows_app.services import archiving, audit, interventions, purge_checkpoints

BATCH = 50
"""Instances that nobody called in one transaction; what they called comes on top."""
COUNTED = ("instance", "event", "step", "attempt", "artifact")
_BEGINNING = (datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """What was deleted, or would be: rows of each kind, and the entries of the audit trail that say so."""

    counts: dict[str, int]
    checkpoints: tuple[int, ...] = ()


def purge(
    *, before: datetime, actor: str, reason: str = "", dry_run: bool = False, archive: str | None = None
) -> Purged:
    """Delete every instance that ended before a time, whole and batch by batch, each batch with its checkpoint.

    An instance stays if one that called it, or one that it called, has not ended by then, or has to be told something.

    Args:
        before: aware.
        dry_run: count only.
        archive: where to archive them first, as ``archives.places`` has it; ``None``: they are not archived.

    Raises:
        InputInvalid: a reason that cannot be stored.
        ArchiveFault: they cannot be archived; batches before are.
        ActivityError: artifacts cannot be deleted (ARTIFACTS_FAILED, ARTIFACTS_NOT_ALLOWED); batches before are gone.
    """
    interventions.check_reason(reason)
    if archive is not None:
        places.at(archive)
    total = dict.fromkeys(COUNTED, 0)
    entries: list[int] = []
    for roots in _batches(before):
        family = _families(roots)
        if dry_run:
            found, sequence = _count(family), None
        else:
            found, sequence = take(roots, before=before, actor=actor, reason=reason, archive=archive)
        total = {kind: number + found.get(kind, 0) for kind, number in total.items()}
        entries += [] if sequence is None else [sequence]
    return Purged(counts=total, checkpoints=tuple(entries))


def delete(*, instance_id: UUID, actor: str, reason: str = "") -> Purged:
    """Delete one finished instance and all that it called.

    Raises:
        NotFound: there is no such instance.
        StateForbids: it or one that it called has not ended, or another instance called it.
        InputInvalid, ActivityError: as ``purge``.
    """
    interventions.check_reason(reason)
    if not Instance.objects.filter(pk=instance_id).exists():
        raise NotFound(f"there is no instance {instance_id}", code="INSTANCE_NOT_FOUND")
    if why := _unpurgeable(instance_id, None):
        raise StateForbids(f"the instance cannot be deleted: {why}")
    found, sequence = take([instance_id], before=None, actor=actor, reason=reason)
    if sequence is None:
        raise StateForbids("the instance cannot be deleted: it has come back to life")
    return Purged(counts={kind: found[kind] for kind in COUNTED}, checkpoints=(sequence,))


def take(
    roots: list[UUID], *, before: datetime | None, actor: str, reason: str, archive: str | None = None
) -> tuple[dict[str, int], int | None]:
    """Delete some instances with all that they called, in one transaction; those that came back to life stay.

    Args:
        roots: instances that nobody called.
        before: they ended before it; ``None``: whenever they ended.
        archive: as ``purge`` has it.

    Returns:
        How many rows went of each kind, and the entry on the audit trail; ``None`` where nothing went.

    Raises:
        ArchiveFault, ActivityError: nothing is deleted.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        family = _families(roots)
        cursor.execute("SELECT wf_checkpoint(%s), wf_clock()", [family])
        listed, at = cursor.fetchone()
        known = json.loads(listed)
        still = [root for root in roots if str(root) in known and not _unpurgeable(root, before)]
        if not still:
            return {}, None
        families = {root: _families([root]) for root in still}
        keys = [key for family in families.values() for key in family]
        archived = {} if archive is None else archiving.write_all(families, place=archive)
        instances = {str(key): known[str(key)] for key in keys}
        facts: dict[str, Any] = {
            "before": before.isoformat() if before else None,
            "at": at.isoformat(),
            "reason": reason,
            "instances": instances,
            "events": sum(each["events"] for each in instances.values()),
            **({"archives": {str(root): each.digest for root, each in archived.items()}} if archived else {}),
        }
        target = str(still[0]) if before is None else f"{len(instances)} instances"
        # From here to the commit the trail is ours: the checkpoint is its last entry while the histories go.
        sequence = audit.record(
            actor=actor,
            action=purge_checkpoints.ACTION,
            target=target,
            data=purge_checkpoints.signed(facts, actor=actor),
        )
        if archive is not None:
            archiving.record(families, archived, place=archive, actor=actor, at=at, entry=sequence)
        with_content = Artifact.objects.filter(instance_id__in=keys).values_list("instance_id", flat=True)
        artifacts = sum(store.delete_of(key) for key in with_content.order_by("instance_id").distinct())
        cursor.execute("SELECT wf_purge(%s)", [keys])
        return {**json.loads(cursor.fetchone()[0]), "artifact": artifacts}, sequence


def _batches(before: datetime) -> Iterator[list[UUID]]:
    """Yield instances that nobody called and that can be purged, the oldest first."""
    created, last = _BEGINNING
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT id, created_at FROM wf_purgeable(%s, %s, %s, %s)", [before, created, last, BATCH])
            rows = cursor.fetchall()
        if not rows:
            return
        yield [row[0] for row in rows]
        last, created = rows[-1]


def _families(roots: list[UUID]) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT f FROM unnest(%s::uuid[]) r, wf_family(r) f", [roots])
        return [row[0] for row in cursor.fetchall()]


def _unpurgeable(root: UUID, before: datetime | None) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT wf_unpurgeable(%s, coalesce(%s, 'infinity'::timestamptz))", [root, before])
        return str(cursor.fetchone()[0])


def _count(family: list[UUID]) -> dict[str, int]:
    counts = {"instance": len(family)}
    with connection.cursor() as cursor:
        for kind in COUNTED[1:]:
            cursor.execute(
                f"SELECT count(*) FROM workflows_app_{kind} WHERE instance_id = ANY (%s)",  # noqa: S608 - a constant
                [family],
            )
            counts[kind] = int(cursor.fetchone()[0])
    return counts
