"""``file.read``, ``write``, ``list``, ``copy``, ``move`` and ``delete``: files below one folder, and none elsewhere.

The folder is the setting ``ORCHESTRATOR_FILE_ROOT``; without one every call is refused. ``roots`` opens paths name by
name and never through a link, ``placing`` makes content appear whole or not at all, ``failures`` writes errors that
name no folder of the host.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tasks.activities.files import appending, artifacts, formats, listing, moving, placing, reading, roots, shapes
from workflows_app.activities import ActivityContext, ActivityError, activity

_MISSING = object()


@activity(
    "file.read",
    version="1.0.0",
    description="Reads a file: as a whole, or some of its rows.",
    parameters=shapes.READ,
    effects=False,
    category="files",
)
def read(
    *,
    path: str,
    context: ActivityContext,
    format: str = "text",
    encoding: str = "utf-8",
    delimiter: str = ",",
    max_bytes: int | None = None,
    offset: int = 0,
    limit: int = 1_000,
) -> dict[str, Any]:
    """Read a file.

    Returns:
        ``{path, size, modified_at, content}``, or ``artifact`` in the place of content; of csv and jsonl
        ``{path, size, modified_at, rows, row_count, next_offset}``.

    Raises:
        ActivityError: FILE_NOT_FOUND, NOT_A_FILE, FILE_TOO_LARGE, FILE_NOT_TEXT, FORMAT_INVALID with
            ``details.line``, PATH_NOT_ALLOWED, FILES_NOT_ALLOWED (none recoverable); those of artifacts.
        AttemptCancelled: when told to stop.
    """
    if format == artifacts.FORMAT:
        return artifacts.keep(path, max_bytes=max_bytes, context=context)
    if format not in formats.ROW_FORMATS:
        return reading.whole(path, kind=format, encoding=encoding, max_bytes=max_bytes)
    return reading.rows(
        path,
        kind=format,
        encoding=encoding,
        delimiter=delimiter,
        max_bytes=max_bytes,
        offset=offset,
        limit=limit,
        context=context,
    )


@activity(
    "file.write",
    version="1.0.0",
    description="Writes a file whole, or adds to its end.",
    parameters=shapes.WRITE,
    effects=True,
    category="files",
)
def write(
    *,
    path: str,
    context: ActivityContext,
    content: Any = _MISSING,
    rows: list[dict[str, Any]] | None = None,
    columns: list[str] | None = None,
    format: str = "text",
    encoding: str = "utf-8",
    delimiter: str = ",",
    mode: str = "create",
    make_folders: bool = False,
) -> dict[str, Any]:
    """Write a file.

    ``create`` and ``replace`` may be repeated: the file appears whole or not at all. ``append`` adds again.

    Returns:
        ``{path, size, sha256}``; after ``append`` ``{path, size}``.

    Raises:
        ActivityError: FILE_EXISTS, FILE_NOT_FOUND for a missing folder, NOT_A_FILE, PATH_NOT_ALLOWED,
            FILES_NOT_ALLOWED, INVALID_PARAMETERS (not recoverable); DISK_FULL; those of artifacts.
        AttemptCancelled: when told to stop; nothing has changed then.
    """
    pieces: Iterable[bytes]
    if format in formats.ROW_FORMATS:
        if rows is None or content is not _MISSING:
            formats.refuse("rows", f"The format {format} takes rows, and no content.")
        is_new = mode != "append" or not _has_content(path)
        pieces = list(formats.encode_rows(rows, format, encoding, columns=columns, delimiter=delimiter, header=is_new))
    else:
        if content is _MISSING or rows is not None:
            formats.refuse("content", f"The format {format} takes content, and no rows.")
        if format == artifacts.FORMAT:
            pieces = artifacts.content_of(content, mode=mode, context=context)
        else:
            pieces = [formats.encode(content, format, encoding)]
    with roots.place(path, make_folders=make_folders) as where:
        if mode == "append":
            return {"path": path, "size": appending.append(where, pieces, context)}
        written = placing.put(where, pieces, context, replace=mode == "replace")
    return {"path": path, "size": written.size, "sha256": written.sha256}


@activity(
    "file.list",
    version="1.0.0",
    description="Lists files and folders.",
    parameters=shapes.LIST,
    effects=False,
    category="files",
)
def list_(
    *, context: ActivityContext, path: str = ".", pattern: str = "*", recursive: bool = False, limit: int = 1_000
) -> dict[str, Any]:
    """List a folder; see ``listing.entries``."""
    return listing.entries(path, pattern=pattern, recursive=recursive, limit=limit, context=context)


@activity(
    "file.copy",
    version="1.0.0",
    description="Copies a file.",
    parameters=shapes.TWO_PLACES,
    effects=True,
    category="files",
)
def copy(*, to: str, context: ActivityContext, replace: bool = False, **source: str) -> dict[str, Any]:
    """Copy the file ``from`` to ``to``; see ``moving.copy``."""
    return moving.copy(source["from"], to, replace=replace, context=context)


@activity(
    "file.move",
    version="1.0.0",
    description="Moves or renames a file.",
    parameters=shapes.TWO_PLACES,
    effects=True,
    category="files",
)
def move(*, to: str, context: ActivityContext, replace: bool = False, **source: str) -> dict[str, Any]:
    """Move the file ``from`` to ``to``; see ``moving.move``."""
    return moving.move(source["from"], to, replace=replace, context=context)


@activity(
    "file.delete",
    version="1.0.0",
    description="Deletes a file.",
    parameters=shapes.DELETE,
    effects=True,
    category="files",
)
def delete(*, path: str, context: ActivityContext, missing_ok: bool = False) -> dict[str, Any]:
    """Delete a file; see ``moving.delete``."""
    return moving.delete(path, missing_ok=missing_ok, context=context)


def _has_content(path: str) -> bool:
    try:
        with roots.place(path) as where:
            found = roots.status(where)
    except ActivityError as error:
        if error.code == "FILE_NOT_FOUND":  # a folder that is still to be made
            return False
        raise
    return found is not None and found.st_size > 0
