"""What is said when an archive cannot be written or read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from workflows_app.engine.errors import ActivityError, OrchestratorError


class ArchiveFault(OrchestratorError):
    """An archive that cannot be written or read: ARCHIVE_FAILED, _NOT_ALLOWED, _MISSING or _DAMAGED."""

    code = "ARCHIVE_FAILED"


def damaged(reason: str) -> ArchiveFault:
    """The error of an archive that is not what was written."""
    return ArchiveFault(f"the archive is damaged: {reason}", code="ARCHIVE_DAMAGED")


@contextmanager
def told() -> Iterator[None]:
    """Say what the backends say, in the words of archives.

    Raises:
        ArchiveFault: ARCHIVE_MISSING, ARCHIVE_DAMAGED; ARCHIVE_FAILED for everything else.
    """
    try:
        yield
    except ActivityError as problem:
        if problem.code == "ARTIFACT_NOT_FOUND":
            raise ArchiveFault("the archive is not where it was put", code="ARCHIVE_MISSING") from problem
        if problem.code == "ARTIFACT_DAMAGED":
            raise damaged("a content does not have its checksum") from problem
        message = f"the archive cannot be used: {problem.message}"
        raise ArchiveFault(message, details={"cause": problem.code}) from problem
    except OSError as problem:
        raise ArchiveFault(f"the archive cannot be used: {problem.strerror or type(problem).__name__}") from problem
