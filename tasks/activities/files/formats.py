"""Content as values and values as content: text, JSON, CSV (RFC 4180), JSON Lines and base64."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
from collections.abc import Iterator
from typing import Any, NoReturn

from tasks.activities.files.failures import failure
from workflows_app.engine import values
from workflows_app.engine.errors import ActivityError

ENCODINGS = ("utf-8", "utf-16", "ascii", "iso-8859-1", "iso-8859-15", "windows-1252")
FORMATS = ("text", "json", "csv", "jsonl", "base64", "artifact")
ROW_FORMATS = frozenset({"csv", "jsonl"})
_ROWS_AT_A_TIME = 500


def refuse(parameter: str, reason: str) -> NoReturn:
    """Fail the attempt because of a parameter.

    Raises:
        ActivityError: INVALID_PARAMETERS, not recoverable.
    """
    raise ActivityError(f"with.{parameter}: {reason}", code="INVALID_PARAMETERS", recoverable=False)


def invalid(path: str, line: int, reason: str) -> ActivityError:
    """The error of content that is not in its format.

    Args:
        path: the file.
        line: where, from 1.
        reason: what is wrong there.
    """
    return failure("FORMAT_INVALID", path, f"is not in its format: line {line}: {reason}", line=line)


def decode(raw: bytes, kind: str, encoding: str, path: str) -> Any:
    """The value that a whole file holds.

    Args:
        raw: its bytes.
        kind: ``text``, ``json`` or ``base64``.
        encoding: of the text.
        path: what errors name.

    Raises:
        ActivityError: FILE_NOT_TEXT, FORMAT_INVALID.
    """
    if kind == "base64":
        return base64.b64encode(raw).decode("ascii")
    try:
        text = raw.decode(encoding).removeprefix("\ufeff")
    except UnicodeError:
        raise not_text(path, encoding) from None
    if kind == "json":
        return parse_json(text, path, line=1)
    if "\x00" in text:
        raise not_text(path, encoding)
    return text


def not_text(path: str, encoding: str) -> ActivityError:
    """The error of bytes that are no text."""
    return failure("FILE_NOT_TEXT", path, f"is no text in {encoding}")


def parse_json(text: str, path: str, *, line: int) -> Any:
    """Read JSON that can be stored.

    Args:
        text: the JSON.
        path: what errors name.
        line: number of its first line.

    Raises:
        ActivityError: FORMAT_INVALID with the line.
    """
    try:
        found = json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise invalid(path, line + error.lineno - 1, error.msg) from None
    except (ValueError, RecursionError) as error:
        raise invalid(
            path, line, "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        ) from None
    fault = next(values.faults(found, max_depth=values.MAX_DEPTH - 2), None)
    if fault is not None:
        raise invalid(path, line, f"{fault.path or 'the value'}: {fault.message}")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def encode(content: Any, kind: str, encoding: str) -> bytes:
    """The bytes of a file that holds one value.

    Raises:
        ActivityError: INVALID_PARAMETERS (not recoverable) if the value does not suit the format.
    """
    if kind == "json":
        return as_bytes(json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n", encoding, "content")
    if not isinstance(content, str):
        refuse("content", f"The format {kind} takes a text.")
    if kind == "text":
        return as_bytes(content, encoding, "content")
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        refuse("content", "This is not base64.")


def as_bytes(text: str, encoding: str, parameter: str) -> bytes:
    """Encode a text; a character that the encoding lacks is the parameter's fault."""
    try:
        return text.encode(encoding)
    except UnicodeError:
        refuse(parameter, f"A character cannot be written in {encoding}.")


def encode_rows(
    rows: list[dict[str, Any]], kind: str, encoding: str, *, columns: list[str] | None, delimiter: str, header: bool
) -> Iterator[bytes]:
    """The bytes of a file of rows, some rows at a time.

    Args:
        rows: mappings.
        kind: ``csv`` or ``jsonl``.
        encoding: of the text.
        columns: of a CSV file, in order; by default all fields in the order of their first appearance.
        delimiter: between the fields of a CSV file.
        header: whether a CSV file begins with the names of its columns.

    Raises:
        ActivityError: INVALID_PARAMETERS (not recoverable): a field that no column takes, a value that is no scalar.
    """
    if kind == "jsonl":
        for start in range(0, len(rows), _ROWS_AT_A_TIME):
            lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows[start : start + _ROWS_AT_A_TIME])
            yield as_bytes("".join(lines), encoding, "rows")
        return
    names = columns or list(dict.fromkeys(name for row in rows for name in row))
    known = set(names)
    for start in range(0, max(len(rows), 1), _ROWS_AT_A_TIME):
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer, delimiter=delimiter)
        if header and start == 0 and names:
            writer.writerow(names)
        for number, row in enumerate(rows[start : start + _ROWS_AT_A_TIME], start):
            foreign = set(row) - known
            if foreign:
                refuse("rows", f"Row {number} has the field {sorted(foreign)[0]!r}, which is no column.")
            writer.writerow([_cell(row.get(name), number, name) for name in names])
        yield as_bytes(buffer.getvalue(), encoding, "rows")


def _cell(value: Any, number: int, name: str) -> Any:
    if isinstance(value, dict | list):
        refuse("rows", f"Row {number}: {name} is no text, number, boolean or null; a CSV file takes nothing else.")
    if isinstance(value, bool):
        return "true" if value else "false"
    return value
