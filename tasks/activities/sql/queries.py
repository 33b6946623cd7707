"""Reading rows: streamed from the server, bounded in number and size, page after page where keys are given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from django.conf import settings
from sqlalchemy import (
    Connection,
    CursorResult,
    Executable,
    Select,
    bindparam,
    column,
    literal_column,
    select,
    text,
    tuple_,
)
from sqlalchemy.exc import SQLAlchemyError

from tasks.activities.sql import cells, failures, statements
from tasks.activities.sql.databases import Database
from tasks.activities.sql.sessions import Limits, transaction
from workflows_app.engine.errors import ActivityError

ROWS_AT_A_TIME = 200
"""How many rows of a query are held as the driver returns them."""
_AFTER = "after_key_"


def fetch(
    database: Database,
    sql: str,
    params: dict[str, Any],
    limits: Limits,
    *,
    max_rows: int,
    after: dict[str, Any] | None,
) -> dict[str, Any]:
    """Run a query and return its first rows.

    Args:
        database: where.
        sql: one statement that returns rows.
        params: what it binds.
        limits: of the attempt.
        max_rows: how many rows at most.
        after: key columns of the result with the values of the last row that is known, all null at the beginning;
            rows come in the order of these columns then.

    Returns:
        ``{rows, row_count, columns, truncated}``, with ``after`` also ``next``: the keys of the last row, null at
        the end.

    Raises:
        ActivityError: ROWS_TOO_LARGE, VALUE_NOT_JSON, DUPLICATE_COLUMNS (not recoverable), and as ``transaction``.
        AttemptCancelled: when told to stop.
    """
    statement = statements.parse(sql)
    statements.bound(statement, params, "with.params")
    bound = {name: cells.as_parameter(value, sqlite=database.is_sqlite) for name, value in params.items()}
    query = _paged(statement, after, max_rows + 1)
    with transaction(database, limits, writes=False) as connection:
        result = streamed(connection, query, bound, ROWS_AT_A_TIME)
        names = columns(result)
        found, is_truncated = _collect(database, result, names, max_rows, limits)
    answer = {"rows": found, "row_count": len(found), "columns": names, "truncated": is_truncated}
    if after is not None:
        answer["next"] = {name: found[-1].get(name) for name in after} if is_truncated else None
    return answer


def streamed(connection: Connection, query: Executable, params: dict[str, Any], size: int) -> CursorResult[Any]:
    """Run a query through a cursor on the server, which also refuses whatever is no query.

    Args:
        connection: in a transaction.
        query: the statement.
        params: what it binds.
        size: rows to fetch at a time.
    """
    return connection.execute(query, params, execution_options={"yield_per": size, "stream_results": True})


def columns(result: CursorResult[Any]) -> list[str]:
    """The names of a result's columns.

    Raises:
        ActivityError: SQL_NOT_ALLOWED if the statement returns no rows, DUPLICATE_COLUMNS; not recoverable.
    """
    if not result.returns_rows:
        raise statements.refused("The statement returns no rows; sql.execute runs it.")
    names = list(result.keys())
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ActivityError(
            f"Two columns of the result are named {twice[0]!r}: name them apart with AS.",
            code="DUPLICATE_COLUMNS",
            recoverable=False,
        )
    return names


def partitions(database: Database, result: CursorResult[Any], size: int, limits: Limits) -> Iterator[Any]:
    """The rows, ``size`` at a time; gives way before each fetch.

    Errors are told here: whoever consumes the rows may do so inside another database's transaction.

    Raises:
        ActivityError: VALUE_NOT_JSON if the driver cannot read a value (a year before 1, say); not recoverable; and
            as ``transaction``.
        AttemptCancelled: when told to stop.
    """
    found = result.partitions(size)
    while True:
        limits.check()
        try:
            rows = next(found, None)
        except SQLAlchemyError as error:
            limits.context.check()
            raise failures.of_statement(database, error) from None
        except (ValueError, OverflowError) as error:
            raise ActivityError(
                f"A value cannot be read: {error}; cast it to text.", code="VALUE_NOT_JSON", recoverable=False
            ) from None
        if rows is None:
            return
        yield rows


def _paged(statement: statements.Statement, after: dict[str, Any] | None, most: int) -> Executable:
    if after is None:
        return text(statement.text)
    known = [name for name, value in after.items() if value is not None]
    if known and len(known) < len(after):
        raise ActivityError(
            "with.after: either all keys are null, or none is.", code="INVALID_PARAMETERS", recoverable=False
        )
    # the line break ends a comment in which the statement may end
    inner = text(statement.text + "\n").columns(*(column(name) for name in after)).subquery("page")
    order = [inner.c[name] for name in after]
    query: Select[Any] = select(literal_column("*")).select_from(inner).order_by(*order).limit(most)
    if not known:
        return query
    marks: list[Any] = [bindparam(f"{_AFTER}{number}", value) for number, value in enumerate(after.values())]
    later = order[0] > marks[0] if len(order) == 1 else tuple_(*order) > tuple_(*marks)
    return query.where(later)


def _collect(
    database: Database, result: CursorResult[Any], names: list[str], most: int, limits: Limits
) -> tuple[list[dict[str, Any]], bool]:
    limit = int(settings.ORCHESTRATOR_MAX_OUTPUT_BYTES)
    room = limit - len(orjson.dumps(names)) - 200
    found: list[dict[str, Any]] = []
    for rows in partitions(database, result, ROWS_AT_A_TIME, limits):
        for row in rows:
            if len(found) == most:
                return found, True
            number = len(found)
            found.append({name: cells.as_json(cell, name, number) for name, cell in zip(names, row, strict=True)})
            room -= len(orjson.dumps(found[-1])) + 1
            if room < 0:
                raise ActivityError(
                    f"The first {len(found)} rows have more than {limit} bytes as JSON: ask for fewer rows or columns, "
                    "or move them with sql.load.",
                    code="ROWS_TOO_LARGE",
                    details={"rows": len(found), "limit": limit},
                    recoverable=False,
                )
    return found, False
