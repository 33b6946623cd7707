"""Files as artifacts and artifacts as files, piece by piece: the format ``artifact``."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Iterator
from typing import Any

from tasks.activities.files import formats, placing, reading, roots
from tasks.activities.files.failures import failure, told
from workflows_app.activities import ActivityContext
from workflows_app.activities.artifacts import OCTETS
from workflows_app.artifacts import references

FORMAT = "artifact"


def keep(path: str, *, max_bytes: int | None, context: ActivityContext) -> dict[str, Any]:
    """Keep a file as an artifact.

    Args:
        path: relative path.
        max_bytes: largest size of the file; the limit of artifacts bounds it as well.
        context: the attempt.

    Returns:
        ``{path, size, modified_at, artifact}``.

    Raises:
        ActivityError: FILE_TOO_LARGE, those of ``roots.open_file`` and of ``Artifacts.write``.
        AttemptCancelled: when told to stop.
    """
    with roots.place(path) as where:
        descriptor = roots.open_file(where)
        try:
            with told(path):
                found = os.fstat(descriptor)
            if max_bytes is not None and found.st_size > max_bytes:
                raise failure(
                    "FILE_TOO_LARGE",
                    path,
                    f"has {found.st_size} bytes, the limit is {max_bytes}",
                    size=found.st_size,
                    limit=max_bytes,
                )
            artifact = context.artifacts.write(
                placing.read_chunks(descriptor, where, context),
                name=references.printable(where.name, otherwise="file"),
                media_type=references.media_type_of(mimetypes.guess_type(where.name)[0] or "", otherwise=OCTETS),
            )
        finally:
            os.close(descriptor)
    return {"path": path, "size": artifact["size"], "modified_at": reading.modified(found), "artifact": artifact}


def content_of(reference: Any, *, mode: str, context: ActivityContext) -> Iterator[bytes]:
    """The content that a file is to have.

    Args:
        reference: the parameter ``content``.
        mode: how the file is written.
        context: the attempt.

    Raises:
        ActivityError: INVALID_PARAMETERS for the mode append, which takes no streams; those of ``Artifacts.stream``.
    """
    if mode == "append":
        formats.refuse("mode", "An artifact becomes a whole file; it is appended to none.")
    return context.artifacts.stream(reference)
