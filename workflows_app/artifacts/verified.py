"""Reading content so that what is damaged never arrives complete."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from workflows_app.artifacts.backends import Readable
from workflows_app.artifacts.refusals import refusal, told
from workflows_app.artifacts.staging import PIECE


class VerifiedContent(Iterator[bytes]):
    """The pieces of an artifact; the last one is held back until size and checksum of all are found right.

    Args:
        file: the content, open; closed at the end, by an error, or by ``close``.
        size: bytes that there are to be.
        digest: their SHA-256, hexadecimal.
        check: called between pieces; raises to give up.

    Raises (from ``next``):
        ActivityError: ARTIFACT_DAMAGED; ARTIFACTS_FAILED (recoverable).
    """

    def __init__(self, file: Readable, *, size: int, digest: str, check: Callable[[], None]) -> None:
        self._file: Readable | None = file
        self._size, self._digest, self._check = size, digest, check
        self._seen = hashlib.sha256()
        self._read = 0
        self._held = b""

    def __next__(self) -> bytes:
        try:
            while self._file is not None:
                self._check()
                with told():
                    piece = self._file.read(PIECE)
                if not piece:
                    self._verify()
                    self.close()
                    break
                self._seen.update(piece)
                self._read += len(piece)
                ready, self._held = self._held, piece
                if ready:
                    return ready
        except BaseException:
            self._held = b""
            self.close()
            raise
        ready, self._held = self._held, b""
        if not ready:
            raise StopIteration
        return ready

    def close(self) -> None:
        """Give the file back; what has not been read stays unread."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _verify(self) -> None:
        if self._read != self._size or self._seen.hexdigest() != self._digest:
            raise refusal("ARTIFACT_DAMAGED", "The artifact is damaged: its content does not have its checksum.")
