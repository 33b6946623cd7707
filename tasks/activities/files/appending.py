"""Appending: under a lock among the workers of one host, and taken back if it does not fit."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterable

from tasks.activities.files import placing, roots
from tasks.activities.files.failures import told
from workflows_app.activities import ActivityContext

_PAUSE = 0.05  # seconds between two tries to get the lock


def append(where: roots.Place, chunks: Iterable[bytes], context: ActivityContext) -> int:
    """Add to the end of a file, which is made if it is missing.

    A repetition adds once more: nothing in the file says which step wrote what.

    Args:
        where: its place.
        chunks: what to add.
        context: the attempt, asked while the lock is awaited.

    Returns:
        The size of the file afterwards, in bytes.

    Raises:
        ActivityError: DISK_FULL and others; the file is as it was then.
        AttemptCancelled: when told to stop, before anything was added.
    """
    content = b"".join(chunks)
    roots.status(where)
    descriptor = roots.open_file(where, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        _lock(descriptor, where, context)
        with told(where.path):
            before = os.fstat(descriptor).st_size
            try:
                placing.write_all(descriptor, content)
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, before)
                raise
            return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


def _lock(descriptor: int, where: roots.Place, context: ActivityContext) -> None:
    while True:
        context.check()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                with told(where.path):
                    raise
            time.sleep(_PAUSE)
        else:
            return
