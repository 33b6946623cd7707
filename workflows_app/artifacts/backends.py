"""Where artifacts lie, by the setting ``ORCHESTRATOR_ARTIFACTS``: an absolute folder, or ``s3://bucket/prefix``."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol
from uuid import UUID

from django.conf import settings

from workflows_app.artifacts.folders import Folders
from workflows_app.artifacts.objects import SCHEME, Objects
from workflows_app.artifacts.refusals import refusal
from workflows_app.artifacts.staging import Staged


class Readable(Protocol):
    """Content that is open for reading."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most ``size``; none at the end."""
        ...

    def close(self) -> None: ...


class Backend(Protocol):
    """A place that keeps content by instance and SHA-256; all errors are ``ActivityError``."""

    @property
    def staging(self) -> Path:
        """The folder in which content is written first."""
        ...

    def place(self, instance_id: UUID, staged: Staged) -> None:
        """Keep staged content; may be repeated."""
        ...

    def open(self, instance_id: UUID, digest: str) -> Readable:
        """Open content for reading."""
        ...

    def remove_all(self, instance_id: UUID) -> None:
        """Remove all content of an instance."""
        ...

    def problem(self) -> str | None:
        """Why content cannot be kept now, ``None`` if it can."""
        ...


def chosen() -> Backend:
    """The backend that the setting names.

    Raises:
        ActivityError: ARTIFACTS_NOT_ALLOWED if it is not set, or names neither a folder nor a bucket.
    """
    where = settings.ORCHESTRATOR_ARTIFACTS
    if not where:
        raise refusal(
            "ARTIFACTS_NOT_ALLOWED", "This installation keeps no artifacts: ORCHESTRATOR_ARTIFACTS is not set."
        )
    return at(str(where), endpoint=settings.ORCHESTRATOR_ARTIFACTS_ENDPOINT, named="ORCHESTRATOR_ARTIFACTS")


def at(where: str, *, endpoint: str | None, named: str) -> Backend:
    """The backend of a place.

    Args:
        where: an absolute folder, or ``s3://bucket/prefix``.
        endpoint: address of the object store, ``None`` for Amazon's.
        named: what a refusal calls the place.

    Raises:
        ActivityError: ARTIFACTS_NOT_ALLOWED if it is neither.
    """
    if where.startswith(f"{SCHEME}://"):
        return Objects(where, endpoint=endpoint, staging=Path(settings.STATE_DIR) / "staging", named=named)
    root = Path(where)
    if not root.is_absolute() or ".." in root.parts:
        raise refusal("ARTIFACTS_NOT_ALLOWED", f"{named} is neither an absolute folder nor s3://bucket.")
    return Folders(root)
