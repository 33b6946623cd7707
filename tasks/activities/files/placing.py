"""Content that appears whole or not at all: written beside its place, made durable, then put there by name.

The name of what is half written follows from the step's idempotency key and the attempt. An attempt removes what
the ones before it left when their worker died.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from tasks.activities.files import roots
from tasks.activities.files.failures import failure, told
from workflows_app.activities import ActivityContext

CHUNK = 1 << 20  # bytes that are read, written or hashed at a time
_REMEMBERED = 10  # attempts whose remains are looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written: size in bytes and SHA-256 in hexadecimal."""

    size: int
    sha256: str


def put(where: roots.Place, chunks: Iterable[bytes], context: ActivityContext, *, replace: bool) -> Written:
    """Write a file whole.

    Args:
        where: its place.
        chunks: the content.
        context: the attempt, asked between chunks.
        replace: whether a file that stands there gives way. Without it a later attempt still accepts a file of the
            same content: the one before made it.

    Raises:
        ActivityError: FILE_EXISTS, NOT_A_FILE, PATH_NOT_ALLOWED, DISK_FULL and others.
        AttemptCancelled: when told to stop; nothing has changed then.
    """
    standing = roots.status(where)
    if standing is not None and not replace and context.attempt == 1:
        raise failure("FILE_EXISTS", where.path, "exists already")
    with _half_written(where, context) as (name, descriptor):
        written = _write(descriptor, where, chunks, context)
        with told(where.path):
            os.fsync(descriptor)
        if standing is not None and not replace:
            _accept_same(where, written, context)
            return written
        with told(where.path):
            if replace:
                os.rename(name, where.name, src_dir_fd=where.folder, dst_dir_fd=where.folder)
            else:  # unlike a rename, a link never takes the place of what somebody else has put there meanwhile
                os.link(name, where.name, src_dir_fd=where.folder, dst_dir_fd=where.folder, follow_symlinks=False)
            os.fsync(where.folder)
    return written


def digest(where: roots.Place, context: ActivityContext) -> Written:
    """Size and SHA-256 of the file that stands at a place."""
    descriptor = roots.open_file(where)
    try:
        seen, size = hashlib.sha256(), 0
        for chunk in read_chunks(descriptor, where, context):
            seen.update(chunk)
            size += len(chunk)
    finally:
        os.close(descriptor)
    return Written(size=size, sha256=seen.hexdigest())


def read_chunks(descriptor: int, where: roots.Place, context: ActivityContext) -> Iterator[bytes]:
    """The content of an open file, chunk by chunk.

    Raises:
        AttemptCancelled: when told to stop.
    """
    while True:
        context.check()
        with told(where.path):
            chunk = os.read(descriptor, CHUNK)
        if not chunk:
            return
        yield chunk


def write_all(descriptor: int, content: bytes) -> None:
    """Write every byte; one call of the system may write fewer."""
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def _accept_same(where: roots.Place, written: Written, context: ActivityContext) -> None:
    if digest(where, context) != written:
        raise failure("FILE_EXISTS", where.path, "exists already, with another content")


@contextmanager
def _half_written(where: roots.Place, context: ActivityContext) -> Iterator[tuple[str, int]]:
    key = hashlib.sha256(f"{context.idempotency_key}\n{where.path}".encode()).hexdigest()[:24]
    with told(where.path):
        for number in range(max(1, context.attempt - _REMEMBERED), context.attempt + 1):
            with suppress(FileNotFoundError):
                os.unlink(f"{roots.OWN_PREFIX}{key}-{number}", dir_fd=where.folder)
    name = f"{roots.OWN_PREFIX}{key}-{context.attempt}"
    half = roots.Place(folder=where.folder, name=name, path=where.path)
    descriptor = roots.open_file(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        yield name, descriptor
    finally:
        os.close(descriptor)
        with suppress(OSError):
            os.unlink(name, dir_fd=where.folder)


def _write(descriptor: int, where: roots.Place, chunks: Iterable[bytes], context: ActivityContext) -> Written:
    seen, size = hashlib.sha256(), 0
    for chunk in chunks:
        context.check()
        with told(where.path):
            write_all(descriptor, chunk)
        seen.update(chunk)
        size += len(chunk)
    return Written(size=size, sha256=seen.hexdigest())
