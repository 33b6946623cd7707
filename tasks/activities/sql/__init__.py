"""``sql.query``, ``sql.execute`` and ``sql.load``: databases behind named connections.

``statements`` lets one statement through and nothing behind it, ``databases`` knows the connections and keeps their
secrets, ``sessions`` runs a transaction within the attempt's limits, ``queries`` streams rows out and ``loading`` in,
``failures`` says what went wrong.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from tasks.activities.sql import cells, databases, loading, queries, shapes, statements
from tasks.activities.sql.sessions import Limits, transaction
from workflows_app.activities import ActivityContext, ActivityError, activity


@activity(
    "sql.query",
    version="1.0.0",
    description="Reads rows from a database.",
    parameters=shapes.QUERY,
    effects=False,
    category="integration",
)
def query(
    *,
    connection: str,
    sql: str,
    context: ActivityContext,
    params: dict[str, Any] | None = None,
    max_rows: int = 1_000,
    after: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Run a query in a read-only transaction.

    Returns:
        ``{rows, row_count, columns, truncated}``, with ``after`` also ``next``.

    Raises:
        ActivityError: MISSING_QUERY, SQL_NOT_ALLOWED, INVALID_PARAMETERS, UNKNOWN_CONNECTION, CONNECTION_INVALID,
            READ_ONLY, ROWS_TOO_LARGE, VALUE_NOT_JSON, DUPLICATE_COLUMNS (not recoverable); QUERY_EXECUTION_FAILED
            with ``details.sqlstate`` (recoverable if temporary); CONNECTION_FAILED, QUERY_TIMEOUT.
        AttemptCancelled: when told to stop.
    """
    return queries.fetch(databases.get(connection), sql, params or {}, Limits(context), max_rows=max_rows, after=after)


@activity(
    "sql.execute",
    version="1.0.0",
    description="Changes a database by a statement.",
    parameters=shapes.EXECUTE,
    effects=True,
    category="integration",
)
def execute(
    *,
    connection: str,
    sql: str,
    context: ActivityContext,
    params: dict[str, Any] | list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Run a statement, once or for each of a list of parameters, in one transaction.

    Returns:
        ``{row_count}``: rows that were changed; null where the database does not say.

    Raises:
        ActivityError: as ``query``; READ_ONLY for a connection that is; ``details.effect`` is ``unknown`` if the
            connection was lost during the commit.
        AttemptCancelled: when told to stop; nothing has changed then.
    """
    statement = statements.parse(sql)
    statements.check_changing(statement)
    database = _writable(connection)
    limits = Limits(context)
    given = params if isinstance(params, list) else [params or {}]
    for number, each in enumerate(given):
        statements.bound(statement, each, f"with.params[{number}]" if isinstance(params, list) else "with.params")
    total: int | None = 0
    with transaction(database, limits, writes=True) as session:
        for each in given:
            limits.check()
            values = {name: cells.as_parameter(value, sqlite=database.is_sqlite) for name, value in each.items()}
            changed = session.execute(text(statement.text), values).rowcount
            total = None if total is None or changed < 0 else total + changed
    return {"row_count": total}


@activity(
    "sql.load",
    version="1.0.0",
    description="Loads rows into a table of a database.",
    parameters=shapes.LOAD,
    effects=True,
    category="integration",
)
def load(
    *,
    connection: str,
    table: str,
    context: ActivityContext,
    rows: list[dict[str, Any]] | None = None,
    from_query: dict[str, Any] | None = None,
    columns: list[str] | None = None,
    mode: str = "insert",
    key: list[str] | None = None,
    batch_size: int = 500,
    marker: str | None = None,
) -> dict[str, Any]:
    """Load rows; see ``loading.load``."""
    order = loading.Order(
        table=table,
        rows=rows,
        from_query=from_query,
        columns=columns,
        mode=mode,
        key=key or [],
        batch_size=batch_size,
        marker=marker,
    )
    return loading.load(_writable(connection), order, Limits(context))


def _writable(connection: str) -> databases.Database:
    database = databases.get(connection)
    if database.read_only:
        raise ActivityError(
            f"Connection {connection!r} is set up for reading only.", code="READ_ONLY", recoverable=False
        )
    return database
