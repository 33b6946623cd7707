"""Archived instances: find one, and open the archive that it stands in, held to what the audit trail says of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db.models import F

from workflows_app.archives import places, reading
from workflows_app.archives.faults import ArchiveFault, damaged
from workflows_app.archives.reading import Archive
from workflows_app.engine.errors import NotFound
from workflows_app.models import ArchivedInstance, AuditEntry
from workflows_app.selectors import lists


def find(instance_id: UUID) -> ArchivedInstance:
    """Return what is known of an archived instance.

    Raises:
        NotFound: with code INSTANCE_NOT_FOUND.
    """
    found = ArchivedInstance.objects.filter(pk=instance_id).first()
    if found is None:
        raise NotFound(f"there is no archived instance {instance_id}", code="INSTANCE_NOT_FOUND")
    return found


def newest(*, workflow: str | None = None, number: int) -> list[ArchivedInstance]:
    """Return up to ``number`` archived instances, the last archived first."""
    return list(lists.archived(workflow=workflow)[:number])


def tops() -> Iterator[ArchivedInstance]:
    """Yield the instance at the top of each archive, in the order of archiving."""
    return ArchivedInstance.objects.filter(pk=F("root")).order_by("archived_at", "id").iterator()


@contextmanager
def opened(row: ArchivedInstance) -> Iterator[Archive]:
    """Open the archive of an instance.

    Its SHA-256, and where its history ends, are compared with the checkpoint on the audit trail, which is signed and
    chained: whoever alters the file and the row about it is found out all the same.

    Raises:
        ArchiveFault: ARCHIVE_DAMAGED, ARCHIVE_MISSING, ARCHIVE_FAILED, ARCHIVE_NOT_ALLOWED.
    """
    entry = AuditEntry.objects.filter(sequence=row.entry).first()
    data = {} if entry is None else entry.data
    digest, said = data.get("archives", {}).get(str(row.root)), data.get("instances", {}).get(str(row.pk))
    if digest is None or said is None:
        raise damaged(f"entry {row.entry} of the audit trail does not name it")
    with reading.opened(places.at(row.place), row.root, digest) as archive:
        kept = archive.instances.get(str(row.pk))
        if kept is None or (kept["events"], kept["head"]) != (said["events"], said["head"]):
            raise damaged("its history does not end as the audit trail says")
        yield archive


def fault_of(row: ArchivedInstance) -> ArchiveFault | None:
    """Read all of an instance's archive once and return what is wrong with it, if anything is."""
    try:
        with opened(row) as archive:
            archive.verify()
    except ArchiveFault as fault:
        return fault
    return None
