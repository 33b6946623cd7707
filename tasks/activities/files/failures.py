"""What the operating system says of a file, as an activity's error: a stable code and the path as it was given.

No message names a folder of the host.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from workflows_app.engine.errors import ActivityError

_CODES = {
    errno.ENOENT: ("FILE_NOT_FOUND", "does not exist"),
    errno.EEXIST: ("FILE_EXISTS", "exists already"),
    errno.EISDIR: ("NOT_A_FILE", "is a folder"),
    errno.ENXIO: ("NOT_A_FILE", "is no file"),
    errno.ENOTDIR: ("NOT_A_FOLDER", "leads through what is no folder"),
    errno.ELOOP: ("PATH_NOT_ALLOWED", "is or leads through a symbolic link"),
    errno.ENAMETOOLONG: ("PATH_NOT_ALLOWED", "has a name that is too long"),
    errno.EACCES: ("FILE_ACCESS_DENIED", "may not be used by the worker"),
    errno.EPERM: ("FILE_ACCESS_DENIED", "may not be used by the worker"),
    errno.EROFS: ("FILE_ACCESS_DENIED", "is on a read-only file system"),
}
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def failure(code: str, path: str, reason: str, *, recoverable: bool = False, **details: Any) -> ActivityError:
    """An error about one path.

    Args:
        code: stable name.
        path: as the definition gave it.
        reason: completes a sentence that begins with the path.
        recoverable: whether another attempt may help.
        details: further facts.
    """
    return ActivityError(f"{path!r} {reason}.", code=code, details={"path": path, **details}, recoverable=recoverable)


@contextmanager
def told(path: str) -> Iterator[None]:
    """Turn the operating system's errors about ``path`` into an activity's.

    Raises:
        ActivityError: DISK_FULL and FILE_FAILED are recoverable, all others are not.
    """
    try:
        yield
    except OSError as error:
        number = error.errno or 0
        if number in _FULL:
            raise failure("DISK_FULL", path, "has no room: the disk is full", recoverable=True) from None
        if number in _CODES:
            raise failure(_CODES[number][0], path, _CODES[number][1]) from None
        reason = f"cannot be used: {os.strerror(number) if number else type(error).__name__}"
        raise failure("FILE_FAILED", path, reason, recoverable=True) from None
