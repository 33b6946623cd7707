"""The allowed root, and how a path below it is opened: name by name, never through a symbolic link.

Each folder on the way is opened relative to the one before, with ``O_NOFOLLOW``. What somebody swaps for a link in
between is therefore met as a link and refused; no check is followed by a second look at the same name.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from tasks.activities.files.failures import failure, told
from workflows_app.engine.errors import ActivityError

SETTING = "ORCHESTRATOR_FILE_ROOT"
OWN_PREFIX = ".orchestrator-"
"""Names of files half written begin with it; no definition may use such a name."""
MAX_PARTS = 64
_DRIVE = re.compile(r"[A-Za-z]:")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A name in an open folder.

    Args:
        folder: descriptor of the folder.
        name: the last part of the path.
        path: the path as it was given.
    """

    folder: int
    name: str
    path: str


def root() -> Path:
    """The folder below which files may be used.

    Raises:
        ActivityError: FILES_NOT_ALLOWED (not recoverable) without one, or if it is not there.
    """
    named = getattr(settings, SETTING, None)
    if not named:
        raise ActivityError(
            f"This installation lets no step use files: the setting {SETTING} names no folder.",
            code="FILES_NOT_ALLOWED",
            recoverable=False,
        )
    folder = Path(named)
    if folder == Path(settings.STATE_DIR) / "files":  # the embedded default is ours to make, anything else is not
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not folder.is_dir():
        raise ActivityError(
            f"The folder that the setting {SETTING} names is not there.", code="FILES_NOT_ALLOWED", recoverable=False
        )
    return folder


def parts(path: str) -> tuple[str, ...]:
    """The names in a relative POSIX path; none for ``.``.

    Raises:
        ActivityError: PATH_NOT_ALLOWED (not recoverable), saying why.

    >>> parts("reports/2026/may.csv")
    ('reports', '2026', 'may.csv')
    """
    if path == ".":
        return ()
    reason = _fault(path)
    if reason:
        raise failure("PATH_NOT_ALLOWED", path[:200], reason)
    return tuple(path.split("/"))


def _fault(path: str) -> str:
    names = path.split("/")
    if path.startswith("/") or _DRIVE.match(path):
        return "is not relative to the allowed folder"
    if "\x00" in path or "\\" in path or any(ord(character) < 32 or ord(character) == 127 for character in path):
        return "holds a backslash or a control character"
    if any(name in ("", ".", "..") for name in names):
        return "holds an empty name, '.' or '..'"
    if any(name.startswith(OWN_PREFIX) for name in names):
        return f"holds a name that begins with {OWN_PREFIX}, which is kept for files half written"
    if len(names) > MAX_PARTS:
        return f"has more than {MAX_PARTS} parts"
    try:
        is_long = any(len(name.encode()) > 255 for name in names)
    except UnicodeEncodeError:
        return "is not text"
    return "has a name that is too long" if is_long else ""


@contextmanager
def folder_at(names: tuple[str, ...], path: str, *, make: bool = False) -> Iterator[int]:
    """Open a folder below the root; the descriptor is closed at the end of the block.

    Args:
        names: its parts.
        path: what errors name.
        make: whether missing folders are made.

    Raises:
        ActivityError: PATH_NOT_ALLOWED, FILE_NOT_FOUND, NOT_A_FOLDER and what ``failures.told`` says.
    """
    top = root()
    with told(path):
        descriptor = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in names:
            with told(path):
                inner = _enter(name, descriptor, make=make)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def _enter(name: str, folder: int, *, make: bool) -> int:
    if make:
        with suppress(FileExistsError):
            os.mkdir(name, mode=0o750, dir_fd=folder)
    try:
        return os.open(name, _FOLDER, dir_fd=folder)
    except NotADirectoryError:  # what Linux says of links too
        if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, "a link") from None
        raise


@contextmanager
def place(path: str, *, make_folders: bool = False) -> Iterator[Place]:
    """Open the folder in which a path's last name stands.

    Args:
        path: relative path of a file.
        make_folders: whether missing folders are made.

    Raises:
        ActivityError: as ``folder_at``; NOT_A_FILE for the root itself.
    """
    names = parts(path)
    if not names:
        raise failure("NOT_A_FILE", path, "is a folder")
    with folder_at(names[:-1], path, make=make_folders) as folder:
        yield Place(folder=folder, name=names[-1], path=path)


def open_file(where: Place, flags: int = os.O_RDONLY, *, mode: int = 0o640) -> int:
    """Open a plain file; links, folders, devices and pipes are refused, and none of them is waited for.

    Raises:
        ActivityError: PATH_NOT_ALLOWED, NOT_A_FILE, FILE_NOT_FOUND and what ``failures.told`` says.
    """
    with told(where.path):
        descriptor = os.open(
            where.name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode, dir_fd=where.folder
        )
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise failure("NOT_A_FILE", where.path, "is no file")
    return descriptor


def status(where: Place) -> os.stat_result | None:
    """What stands at a place, ``None`` if nothing does.

    Raises:
        ActivityError: NOT_A_FILE for anything but a plain file, PATH_NOT_ALLOWED for a link.
    """
    with told(where.path):
        try:
            found = os.stat(where.name, dir_fd=where.folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
    if stat.S_ISLNK(found.st_mode):
        raise failure("PATH_NOT_ALLOWED", where.path, "is a symbolic link")
    if not stat.S_ISREG(found.st_mode):
        raise failure("NOT_A_FILE", where.path, "is no file")
    return found
