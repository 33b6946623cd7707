"""Staging: content is written to a file without a name that anybody looks for, hashed and made durable on the way."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from workflows_app.activities.artifacts import Content
from workflows_app.artifacts.refusals import refusal, told

PIECE = 1 << 18
"""Bytes that are held in memory at a time."""
ABANDONED_SECONDS = 86_400.0
"""What nobody has written to for so long was left by a process that died."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """Content on its way: the file that holds it, its size in bytes and its SHA-256, hexadecimal."""

    path: Path
    size: int
    digest: str


def pieces(content: Content) -> Iterator[bytes | memoryview]:
    """Content piece by piece, each at most ``PIECE`` bytes.

    Raises:
        TypeError: it is no bytes.
    """
    if isinstance(content, bytes | bytearray | memoryview):
        yield from _cut(content)
    elif isinstance(content, str):
        raise TypeError("an artifact is bytes, not text: encode it")
    elif hasattr(content, "read"):
        while chunk := content.read(PIECE):
            yield from _cut(chunk)
    else:
        for chunk in content:
            yield from _cut(chunk)


def _cut(chunk: bytes | bytearray | memoryview) -> Iterator[memoryview]:
    view = memoryview(chunk).cast("B")
    for start in range(0, len(view), PIECE):
        yield view[start : start + PIECE]


@contextmanager
def staged(folder: Path, chunks: Iterable[bytes | memoryview], *, limit: int) -> Iterator[Staged]:
    """Write content to a new file in ``folder``; what is left of it afterwards is removed.

    Args:
        folder: made if it is missing.
        chunks: the content; what reading it raises is passed on.
        limit: the most bytes that it may have.

    Raises:
        ActivityError: ARTIFACT_TOO_LARGE; DISK_FULL, ARTIFACTS_FAILED.
    """
    with told():
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        _remove_abandoned(folder)
        path = folder / secrets.token_hex(16)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    try:
        seen, size = hashlib.sha256(), 0
        try:
            for chunk in chunks:
                size += len(chunk)
                if size > limit:
                    raise too_large(limit)
                seen.update(chunk)
                with told():
                    _write_all(descriptor, chunk)
            with told():
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        yield Staged(path=path, size=size, digest=seen.hexdigest())
    finally:
        with suppress(OSError):
            path.unlink()


def too_large(limit: int) -> Exception:
    """The error of content that has more than ``limit`` bytes."""
    return refusal("ARTIFACT_TOO_LARGE", f"The artifact has more than {limit} bytes.", limit=limit)


def _write_all(descriptor: int, chunk: bytes | memoryview) -> None:
    left = memoryview(chunk)
    while left:
        left = left[os.write(descriptor, left) :]


def _remove_abandoned(folder: Path) -> None:
    before = time.time() - ABANDONED_SECONDS
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.stat(follow_symlinks=False).st_mtime < before:
                    os.unlink(entry.path)
