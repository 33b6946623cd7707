"""Archiving: what a purge deletes is written to archives first, and this installation knows which instance is where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection

from workflows_app import failpoints
from workflows_app.archives import places
from workflows_app.archives.writing import Written, write
from workflows_app.models import ArchivedInstance, Instance

LONGEST_PAUSE = "10min"
"""How long the database waits between two statements while archives are written, which may be large and far away."""


def write_all(families: Mapping[UUID, Sequence[UUID]], *, place: str) -> dict[UUID, Written]:
    """Write an archive of each instance with all that it called, in the transaction that locked and deletes them.

    Args:
        families: by the instance at the top, it and what it called.
        place: as ``archives.places`` has it.

    Raises:
        ArchiveFault: one of them cannot be written, or is not what was written when it is read back.
    """
    backend = places.at(place)
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('idle_in_transaction_session_timeout', %s, true)", [LONGEST_PAUSE])
    written = {root: write(backend, root, family) for root, family in families.items()}
    failpoints.hit("archive.written")
    return written


def record(
    families: Mapping[UUID, Sequence[UUID]],
    written: Mapping[UUID, Written],
    *,
    place: str,
    actor: str,
    at: datetime,
    entry: int,
) -> None:
    """Note which instance stands in which archive, in the transaction that deletes its rows.

    Args:
        entry: the checkpoint on the audit trail that names the archives.
    """
    tops = {key: root for root, family in families.items() for key in family}
    rows = Instance.objects.filter(pk__in=tops).only(
        "workflow", "version", "state", "correlation_id", "ended_at", "sequence"
    )
    ArchivedInstance.objects.bulk_create(
        ArchivedInstance(
            id=row.pk,
            root=tops[row.pk],
            workflow=row.workflow,
            version=row.version,
            state=row.state,
            correlation_id=row.correlation_id,
            ended_at=row.ended_at or at,
            events=row.sequence,
            digest=written[tops[row.pk]].digest,
            size=written[tops[row.pk]].size,
            place=place,
            archived_at=at,
            archived_by=actor[:200],
            entry=entry,
        )
        for row in rows.iterator()
    )
