"""Artifacts on a file system: a folder for each instance, a file for each content, whole or not at all.

Every name below the root is made of an instance's UUID or a SHA-256; nothing that a user wrote becomes part of a path.
"""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path
from uuid import UUID

from workflows_app.artifacts import references
from workflows_app.artifacts.refusals import missing, told
from workflows_app.artifacts.staging import Staged


class Folders:
    """Keeps artifacts below one folder, which is made at the first use.

    Args:
        root: an absolute path.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def staging(self) -> Path:
        """Where content is written first: on the same file system, so that a rename puts it in its place."""
        return self._root / "staging"

    def place(self, instance_id: UUID, staged: Staged) -> None:
        """Put staged content in its place for good; one that stands there already is replaced by the same content.

        May be repeated when it is not known whether it was recorded.

        Raises:
            ActivityError: DISK_FULL, ARTIFACTS_FAILED.
        """
        folder = self._folder(instance_id)
        with told():
            folder.mkdir(parents=True, exist_ok=True, mode=0o750)
            place = folder / self._name(staged.digest)
            if staged.path.exists() or not place.exists():  # else it was put there already
                os.rename(staged.path, place)
            for durable in (folder, folder.parent, self._root):  # the names, too, outlive a loss of power
                descriptor = os.open(durable, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)

    def open(self, instance_id: UUID, digest: str) -> io.FileIO:
        """Open content for reading.

        Raises:
            ActivityError: ARTIFACT_NOT_FOUND, ARTIFACTS_FAILED.
        """
        path = self._folder(instance_id) / self._name(digest)
        with told():
            return io.FileIO(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")

    def remove_all(self, instance_id: UUID) -> None:
        """Remove all content of an instance, what a crash left included; none is no error.

        Raises:
            ActivityError: ARTIFACTS_FAILED.
        """
        folder = self._folder(instance_id)
        with told():
            if folder.exists():
                shutil.rmtree(folder)

    def problem(self) -> str | None:
        """Why content cannot be kept now, ``None`` if it can."""
        nearest = self._root
        while not nearest.exists():
            nearest = nearest.parent
        if not nearest.is_dir():
            return f"{nearest} is no folder"
        return None if os.access(nearest, os.W_OK | os.X_OK) else f"{nearest} is not writable"

    def __str__(self) -> str:
        return str(self._root)

    def _folder(self, instance_id: UUID) -> Path:
        name = str(UUID(str(instance_id)))
        return self._root / name[:2] / name

    def _name(self, digest: str) -> str:
        if not references.is_digest(digest):
            raise missing()
        return digest
