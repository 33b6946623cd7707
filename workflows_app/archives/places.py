"""Where archives lie: the place that ``ORCHESTRATOR_ARCHIVE`` names, or a folder that an operator has named."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from workflows_app.archives.faults import ArchiveFault, told
from workflows_app.artifacts import backends, inspection
from workflows_app.artifacts.backends import Backend


def at(folder: str) -> Backend:
    """Return what keeps archives.

    Args:
        folder: an absolute path; empty: what the setting names.

    Raises:
        ArchiveFault: ARCHIVE_NOT_ALLOWED if nothing is named, or what keeps artifacts, which go with their instance,
            or what steps may write to.
    """
    where = folder or settings.ORCHESTRATOR_ARCHIVE
    if not where:
        raise ArchiveFault("nothing is archived: ORCHESTRATOR_ARCHIVE is not set", code="ARCHIVE_NOT_ALLOWED")
    if _same(str(where), settings.ORCHESTRATOR_ARTIFACTS):
        raise ArchiveFault(
            "archives need a place of their own: artifacts are deleted with their instance", code="ARCHIVE_NOT_ALLOWED"
        )
    if folder and not Path(folder).is_absolute():
        raise ArchiveFault(f"{folder[:100]} is not an absolute folder", code="ARCHIVE_NOT_ALLOWED")
    if not str(where).startswith("s3://") and inspection.overlaps(str(where), settings.ORCHESTRATOR_FILE_ROOT):
        raise ArchiveFault("archives in ORCHESTRATOR_FILE_ROOT could be rewritten by steps", code="ARCHIVE_NOT_ALLOWED")
    with told():
        return backends.at(
            str(where),
            endpoint=settings.ORCHESTRATOR_ARCHIVE_ENDPOINT,
            named="the place of an archive" if folder else "ORCHESTRATOR_ARCHIVE",
        )


def _same(one: str, other: str | None) -> bool:
    return bool(other) and one.rstrip("/") == str(other).rstrip("/")
