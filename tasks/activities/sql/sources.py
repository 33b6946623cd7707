"""Where ``sql.load`` takes its rows from: the step's own parameters, or a query on a connection, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

from sqlalchemy import text

from tasks.activities.sql import cells, databases, queries, statements
from tasks.activities.sql.sessions import Limits, transaction
from workflows_app.engine.errors import ActivityError

Batch = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Rows that come in batches.

    Args:
        columns: what every row has.
        batches: the rows.
    """

    columns: list[str]
    batches: Iterator[Batch]


def of_rows(rows: list[dict[str, Any]], columns: list[str] | None, size: int) -> Source:
    """Rows that the step holds.

    Args:
        rows: mappings.
        columns: the fields to take, null where a row lacks one; by default those of the first row, which all others
            must have then.
        size: rows of a batch.

    Raises:
        ActivityError: INVALID_PARAMETERS (not recoverable) naming the row that differs.
    """
    names = columns or list(rows[0] if rows else [])
    if columns is None:
        wanted = set(names)
        for number, row in enumerate(rows):
            if set(row) != wanted:
                refuse(f"rows[{number}]", "its fields are not those of the first row; name the `columns` to load.")
    if rows and not names:
        refuse("rows", "the rows have no fields.")
    batches = (
        [{name: row.get(name) for name in names} for row in rows[start : start + size]]
        for start in range(0, len(rows), size)
    )
    return Source(columns=names, batches=batches)


@contextmanager
def of_query(query: dict[str, Any], columns: list[str] | None, size: int, limits: Limits) -> Iterator[Source]:
    """Rows of a query, read through a cursor on the server while they are loaded.

    Args:
        query: ``connection``, ``sql`` and ``params``.
        columns: the columns to take; by default all.
        size: rows of a batch; more are never held.
        limits: of the attempt.

    Raises:
        ActivityError: as ``sql.query``; INVALID_PARAMETERS for a column that the query lacks.
    """
    database = databases.get(query["connection"])
    params = query.get("params") or {}
    statement = statements.parse(query["sql"])
    statements.bound(statement, params, "with.from_query.params")
    bound = {name: cells.as_parameter(value, sqlite=database.is_sqlite) for name, value in params.items()}
    with transaction(database, limits, writes=False) as connection:
        result = queries.streamed(connection, text(statement.text), bound, size)
        found = queries.columns(result)
        missing = [name for name in columns or [] if name not in found]
        if missing:
            refuse("columns", f"the query returns no column {missing[0]!r}.")
        names = columns or found
        places = [found.index(name) for name in names]
        batches = (
            [dict(zip(names, (row[place] for place in places), strict=True)) for row in rows]
            for rows in queries.partitions(database, result, size, limits)
        )
        yield Source(columns=names, batches=batches)


def refuse(parameter: str, reason: str) -> NoReturn:
    """Fail the attempt because of a parameter.

    Raises:
        ActivityError: INVALID_PARAMETERS, not recoverable.
    """
    raise ActivityError(f"with.{parameter}: {reason}", code="INVALID_PARAMETERS", recoverable=False)
