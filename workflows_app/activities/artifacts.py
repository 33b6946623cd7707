"""What an activity may do with artifacts: values that are too large, or too binary, for a row; references travel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NoReturn, Protocol

from workflows_app.engine.errors import ActivityError

Content = bytes | bytearray | memoryview | BinaryIO | Iterable[bytes]
"""Bytes, a file that is open for reading them, or an iterable of pieces."""

OCTETS = "application/octet-stream"


class Artifacts(Protocol):
    """The artifacts of one attempt; all errors are ``ActivityError``."""

    def write(self, content: Content, *, name: str, media_type: str = OCTETS) -> dict[str, Any]:
        """Keep content under the attempt's instance.

        Args:
            content: what to keep; files and iterables are read piece by piece.
            name: what people call it, 1 to 255 printable characters; never a path.
            media_type: ``type/subtype``.

        Returns:
            The reference, a JSON object to hand on in the result.

        Raises:
            ActivityError: ARTIFACT_TOO_LARGE, ARTIFACTS_FULL, ARTIFACTS_NOT_ALLOWED, ARTIFACT_INVALID (not
                recoverable); DISK_FULL, ARTIFACTS_FAILED.
            AttemptCancelled: when told to stop.
        """
        ...

    def read(self, reference: Any) -> bytes:
        """The whole content that a reference stands for, its checksum verified.

        Raises:
            ActivityError: ARTIFACT_INVALID, ARTIFACT_NOT_ALLOWED, ARTIFACT_NOT_FOUND, ARTIFACT_DAMAGED (not
                recoverable); ARTIFACTS_FAILED.
        """
        ...

    def stream(self, reference: Any) -> Iterator[bytes]:
        """The same, piece by piece; the last piece comes only if the checksum of all holds.

        Raises:
            ActivityError: as ``read``.
            AttemptCancelled: when told to stop.
        """
        ...


class NoArtifacts:
    """The artifacts of an attempt outside an installation: every use is refused with ARTIFACTS_NOT_ALLOWED."""

    def write(self, content: Content, *, name: str, media_type: str = OCTETS) -> dict[str, Any]:
        self._refuse()

    def read(self, reference: Any) -> bytes:
        self._refuse()

    def stream(self, reference: Any) -> Iterator[bytes]:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise ActivityError("This attempt keeps no artifacts.", code="ARTIFACTS_NOT_ALLOWED", recoverable=False)
