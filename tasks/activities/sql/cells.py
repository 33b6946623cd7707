"""Cells: what a database returns as JSON, and JSON as what a driver binds."""

from __future__ import annotations

import base64
import json
import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg2.extras import Json

from workflows_app.engine.errors import ActivityError
from workflows_app.engine.values import INTEGER_MAX, INTEGER_MIN


def as_json(value: Any, column: str, row: int) -> Any:
    """A cell as JSON.

    Numbers stay numbers where JSON's are exact: a decimal whose shortest double says the same, an integer of 64 bit;
    all others are texts. Times are RFC 3339, in UTC where they have a zone; durations are seconds. Bytes become
    ``{"base64": …}``.

    Args:
        value: what the driver returned.
        column: its column, for errors.
        row: its row, from 0.

    Raises:
        ActivityError: VALUE_NOT_JSON (not recoverable) for NaN, infinity and types that are not listed.

    >>> as_json(Decimal("12.50"), "price", 0), as_json(Decimal("0.10000000000000000001"), "price", 0)
    (12.5, '0.10000000000000000001')
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if INTEGER_MIN <= value <= INTEGER_MAX else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else _refuse(column, row, "NaN and infinity are not JSON numbers")
    if isinstance(value, str):
        return _text(value, column, row)
    if isinstance(value, Decimal):
        return number(value) if value.is_finite() else _refuse(column, row, "NaN and infinity are not JSON numbers")
    if isinstance(value, datetime):
        moment = value if value.tzinfo is None else value.astimezone(UTC)
        return moment.isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return {"base64": base64.b64encode(bytes(value)).decode("ascii")}
    if isinstance(value, list | tuple):
        return [as_json(each, column, row) for each in value]
    if isinstance(value, dict):
        return {_text(str(key), column, row): as_json(each, column, row) for key, each in value.items()}
    return _refuse(column, row, f"a {type(value).__name__} is no JSON value; cast it to text in the statement")


def number(value: Decimal) -> int | float | str:
    """A decimal as a number where that is exact, else as text.

    >>> number(Decimal("3.00")), number(Decimal("1e30")), number(Decimal("0.1"))
    (3, '1000000000000000000000000000000', 0.1)
    """
    if value.adjusted() < 40 and value == value.to_integral_value():
        whole = int(value)
        return whole if INTEGER_MIN <= whole <= INTEGER_MAX else str(whole)
    near = float(value)
    return near if math.isfinite(near) and Decimal(repr(near)) == value else str(value)


def as_parameter(value: Any, *, sqlite: bool) -> Any:
    """A JSON value, or a cell of another database, as what the driver binds.

    Args:
        value: a list is an array of PostgreSQL and JSON text in SQLite, a mapping is JSON in both.
        sqlite: which driver.

    Raises:
        ActivityError: QUERY_EXECUTION_FAILED (not recoverable) for a text that PostgreSQL cannot hold.
    """
    if isinstance(value, dict):
        return as_document(value, sqlite=sqlite)
    if not sqlite:
        if isinstance(value, str) and "\x00" in value:  # from a SQLite file; the driver has no error of its own for it
            raise ActivityError(
                "PostgreSQL takes no text with the NUL character.", code="QUERY_EXECUTION_FAILED", recoverable=False
            )
        return value
    if isinstance(value, list):
        return as_document(value, sqlite=True)
    if isinstance(value, Decimal):
        return number(value) if value.is_finite() else str(value)
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value) if isinstance(value, UUID) else value


def as_document(value: Any, *, sqlite: bool) -> Any:
    """Any JSON value as the content of a JSON column."""
    return json.dumps(value, ensure_ascii=False) if sqlite else Json(value)


def _text(value: str, column: str, row: int) -> str:
    if "\x00" in value:
        _refuse(column, row, "text must not contain the NUL character")
    return value


def _refuse(column: str, row: int, reason: str) -> Any:
    raise ActivityError(
        f"Row {row}, column {column!r}: {reason}.",
        code="VALUE_NOT_JSON",
        details={"row": row, "column": column},
        recoverable=False,
    )
