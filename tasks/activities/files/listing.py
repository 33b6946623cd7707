"""Listing: plain files and folders below a folder, in the order of their names, within bounds."""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Iterator
from typing import Any

from tasks.activities.files import reading, roots
from tasks.activities.files.failures import failure, told
from workflows_app.activities import ActivityContext

MAX_ENTRIES = 100_000
"""How many names one listing looks at."""
_LOOK = 500  # names between two looks at the stop request


def entries(path: str, *, pattern: str, recursive: bool, limit: int, context: ActivityContext) -> dict[str, Any]:
    """List a folder.

    Links, devices and what is half written are left out.

    Args:
        path: relative path, ``.`` for the root.
        pattern: shell pattern that the last name meets, capitals and small letters told apart.
        recursive: whether folders are entered.
        limit: how many entries at most.
        context: the attempt.

    Returns:
        ``{files: [{path, size, modified_at, folder}], truncated}``; ``size`` of a folder is null.

    Raises:
        ActivityError: FOLDER_TOO_LARGE, FILE_NOT_FOUND, NOT_A_FOLDER, PATH_NOT_ALLOWED (not recoverable).
        AttemptCancelled: when told to stop.
    """
    walk = _Walk(path, recursive, context)
    found: list[dict[str, Any]] = []
    with roots.folder_at(roots.parts(path), path) as folder:
        for place, status in walk.below(folder, "" if path == "." else f"{path}/", roots.MAX_PARTS):
            if not fnmatch.fnmatchcase(place.rpartition("/")[2], pattern):
                continue
            if len(found) == limit:
                return {"files": found, "truncated": True}
            is_folder = stat.S_ISDIR(status.st_mode)
            found.append(
                {
                    "path": place,
                    "size": None if is_folder else status.st_size,
                    "modified_at": reading.modified(status),
                    "folder": is_folder,
                }
            )
    return {"files": found, "truncated": False}


class _Walk:
    """A walk that counts the names that it has looked at."""

    def __init__(self, path: str, recursive: bool, context: ActivityContext) -> None:
        self._path, self._recursive, self._context = path, recursive, context
        self._seen = 0

    def below(self, folder: int, prefix: str, depth: int) -> Iterator[tuple[str, os.stat_result]]:
        """Yield what lies in an open folder, each folder before what it holds."""
        for name, status in self._in_order(folder):
            yield prefix + name, status
            if self._recursive and stat.S_ISDIR(status.st_mode) and depth > 1:
                try:
                    inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
                except OSError:  # gone meanwhile, swapped for a link, or closed to the worker
                    continue
                try:
                    yield from self.below(inner, f"{prefix}{name}/", depth - 1)
                finally:
                    os.close(inner)

    def _in_order(self, folder: int) -> list[tuple[str, os.stat_result]]:
        found = []
        with told(self._path), os.scandir(folder) as listed:
            for entry in listed:
                self._count()
                if entry.name.startswith(roots.OWN_PREFIX) or not _is_text(entry.name):
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
                    found.append((entry.name, status))
        return sorted(found, key=lambda each: each[0])

    def _count(self) -> None:
        self._seen += 1
        if self._seen % _LOOK == 0:
            self._context.check()
        if self._seen > MAX_ENTRIES:
            raise failure("FOLDER_TOO_LARGE", self._path, f"holds more than {MAX_ENTRIES} names")


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
