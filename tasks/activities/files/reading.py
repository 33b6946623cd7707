"""Reading: a whole file within a bound, or some rows of a file of any size."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
from django.conf import settings

from tasks.activities.files import formats, roots
from tasks.activities.files.failures import failure, told
from workflows_app.activities import ActivityContext, ActivityError

_SHELL = 1_000  # bytes of a result that are not content
_LOOK = 500  # rows between two looks at the stop request


def output_limit() -> int:
    """How many bytes of JSON a result may have."""
    return int(settings.ORCHESTRATOR_MAX_OUTPUT_BYTES)


def modified(found: os.stat_result) -> str:
    """When a file was changed last, in UTC (RFC 3339)."""
    return datetime.fromtimestamp(found.st_mtime, UTC).isoformat().replace("+00:00", "Z")


def whole(path: str, *, kind: str, encoding: str, max_bytes: int | None) -> dict[str, Any]:
    """Read a file into one value.

    Args:
        path: relative path.
        kind: ``text``, ``json`` or ``base64``.
        encoding: of the text.
        max_bytes: largest size of the file; the limit of outputs bounds it as well.

    Raises:
        ActivityError: FILE_TOO_LARGE, FILE_NOT_FOUND, NOT_A_FILE, FILE_NOT_TEXT, FORMAT_INVALID, PATH_NOT_ALLOWED.
    """
    limit = min(max_bytes or output_limit(), output_limit())
    with roots.place(path) as where:
        descriptor = roots.open_file(where)
        with os.fdopen(descriptor, "rb", buffering=0), told(path):
            found = os.fstat(descriptor)
            if found.st_size > limit:
                raise _too_large(path, found.st_size, limit)
            raw = bytearray()
            while chunk := os.read(descriptor, limit + 1 - len(raw)):  # it may grow while it is read
                raw += chunk
                if len(raw) > limit:
                    raise _too_large(path, len(raw), limit)
    content = formats.decode(bytes(raw), kind, encoding, path)
    written = len(orjson.dumps(content)) + _SHELL  # base64 and escapes take more room than the file does
    if written > max(output_limit(), 2 * _SHELL):
        raise _too_large(path, written, output_limit())
    return {"path": path, "size": len(raw), "modified_at": modified(found), "content": content}


def rows(
    path: str,
    *,
    kind: str,
    encoding: str,
    delimiter: str,
    max_bytes: int | None,
    offset: int,
    limit: int,
    context: ActivityContext,
) -> dict[str, Any]:
    """Read some rows of a file; only they are held in memory.

    Args:
        path: relative path.
        kind: ``csv``, whose first line names the columns, or ``jsonl``.
        encoding: of the text.
        delimiter: between the fields of a CSV file.
        max_bytes: largest size of the rows as JSON; the limit of outputs bounds it as well.
        offset: rows to leave out at the beginning.
        limit: rows to read.
        context: the attempt.

    Returns:
        ``{path, size, modified_at, rows, row_count, next_offset}``; ``next_offset`` is null at the end of the file.

    Raises:
        ActivityError: FILE_TOO_LARGE if the rows or one line exceed the bound, FORMAT_INVALID with the line, and as
            ``whole``.
        AttemptCancelled: when told to stop.
    """
    bound = min(max_bytes or output_limit(), output_limit())
    found: list[Any] = []
    room = bound - _SHELL if bound > 2 * _SHELL else bound
    has_more = False
    with roots.place(path) as where:
        descriptor = roots.open_file(where)
        with (
            os.fdopen(descriptor, "rb") as file,
            io.TextIOWrapper(file, encoding=encoding, newline="") as text,
            told(path),
        ):
            status = os.fstat(descriptor)
            lines = _Lines(text, path, bound, encoding)
            for number, row in enumerate(_parsed(lines, kind, path, delimiter)):
                if number % _LOOK == 0:
                    context.check()
                if number < offset:
                    continue
                if len(found) == limit:
                    has_more = True
                    break
                room -= len(orjson.dumps(row)) + 1
                if room < 0:
                    raise failure(
                        "FILE_TOO_LARGE",
                        path,
                        f"has rows of more than {bound} bytes: read fewer with limit",
                        limit=bound,
                    )
                found.append(row)
    return {
        "path": path,
        "size": status.st_size,
        "modified_at": modified(status),
        "rows": found,
        "row_count": len(found),
        "next_offset": offset + len(found) if has_more else None,
    }


class _Lines:
    """The lines of a text; one row may take ``bound`` characters, however many lines it spans."""

    def __init__(self, text: io.TextIOWrapper, path: str, bound: int, encoding: str) -> None:
        self._text, self._path, self._bound, self._encoding = text, path, bound, encoding
        self.number = 0
        self._of_row = 0

    def __iter__(self) -> Iterator[str]:
        while True:
            try:
                line = self._text.readline(self._bound + 1)
            except UnicodeError:
                raise formats.not_text(self._path, self._encoding) from None
            if not line:
                return
            self.number += 1
            self._of_row += len(line)
            if self._of_row > self._bound:
                raise failure("FILE_TOO_LARGE", self._path, f"has a row of more than {self._bound} characters")
            if "\x00" in line:
                raise formats.not_text(self._path, self._encoding)
            yield line.removeprefix("\ufeff") if self.number == 1 else line

    def row_ends(self) -> None:
        self._of_row = 0


def _parsed(lines: _Lines, kind: str, path: str, delimiter: str) -> Iterator[Any]:
    if kind == "jsonl":
        for line in lines:
            lines.row_ends()
            if line.strip():
                yield formats.parse_json(line.strip(), path, line=lines.number)
        return
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    names: list[str] | None = None
    try:
        for cells in reader:
            lines.row_ends()
            if not cells:
                continue
            if names is None:
                names = cells
                if len(set(names)) < len(names) or "" in names:
                    raise formats.invalid(
                        path, lines.number, "the names of the columns are not unique, or one is empty"
                    )
                continue
            if len(cells) != len(names):
                reason = f"{len(cells)} fields in the place of {len(names)}"
                raise formats.invalid(path, lines.number, reason)
            yield dict(zip(names, cells, strict=True))
    except csv.Error as error:
        raise formats.invalid(path, lines.number, str(error)) from None


def _too_large(path: str, size: int, limit: int) -> ActivityError:
    return failure("FILE_TOO_LARGE", path, f"has {size} bytes, the limit is {limit}", size=size, limit=limit)
