"""What the database did for a workload: transactions, log written, and where it spent its time.

Where the extension ``pg_stat_statements`` is loaded (the embedded PostgreSQL does not bring it) its list of statements
is used; everywhere the list of the product's database functions, whose own time and calls PostgreSQL counts itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import psycopg2
from psycopg2 import sql

from tests.benchmarks.servers import Database

# A session reports its counters at the latest when it has been idle for this long.
REPORT_SECONDS: Final = 11
LONGEST: Final = 25


def enable(database: Database) -> None:
    """Let the sessions to come count calls of functions, and statements where that is possible."""
    name = database.execute("SELECT current_database()")[0][0]
    database.execute(sql.SQL("ALTER DATABASE {} SET track_functions = 'all'").format(sql.Identifier(name)))
    if extended(database):
        database.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        database.execute(sql.SQL("ALTER DATABASE {} SET pg_stat_statements.track = 'all'").format(sql.Identifier(name)))


def extended(database: Database) -> bool:
    """Whether the server counts statements."""
    loaded = database.execute("SELECT current_setting('shared_preload_libraries') LIKE '%pg_stat_statements%'")
    return bool(loaded[0][0])


def of_run(database: Database, run: Callable[[], object]) -> dict[str, Any]:
    """Run something and tell what the database did meanwhile, the longest first.

    Args:
        run: performs the workload once.
    """
    time.sleep(REPORT_SECONDS)
    database.execute("SELECT pg_stat_reset()")
    counted = extended(database)
    if counted:
        database.execute("SELECT pg_stat_statements_reset()")
    before = database.execute("SELECT pg_current_wal_lsn()")[0][0]
    run()
    written = database.execute("SELECT pg_current_wal_lsn() - %(before)s::pg_lsn", {"before": before})[0][0]
    time.sleep(REPORT_SECONDS)
    commits = database.execute("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")[0][0]
    functions = database.execute(
        "SELECT funcname, calls, round(total_time::numeric, 1)::float, round(self_time::numeric, 1)::float"
        " FROM pg_stat_user_functions ORDER BY self_time DESC LIMIT %(limit)s",
        {"limit": LONGEST},
    )
    found: dict[str, Any] = {
        "commits": commits,
        "wal_bytes": int(written),
        "functions": [dict(zip(("name", "calls", "total_ms", "self_ms"), row, strict=True)) for row in functions],
        "statements": [],
    }
    if counted:
        try:
            listed = database.execute(
                "SELECT query, calls, round(total_exec_time::numeric, 1)::float, rows, wal_bytes::bigint"
                " FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
                " ORDER BY total_exec_time DESC LIMIT %(limit)s",
                {"limit": LONGEST},
            )
        except psycopg2.Error:
            listed = []
        names = ("query", "calls", "total_ms", "rows", "wal_bytes")
        found["statements"] = [dict(zip(names, row, strict=True)) for row in listed]
    return found
