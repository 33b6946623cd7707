"""Fill a database with finished instances: copies of one that really ran, made inside the database.

Every row that belongs to the model instance is copied, whatever tables and columns there are, so that the fill follows
the schema. Only keys differ, and times lie in the past.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from psycopg2 import sql

from tests.benchmarks.servers import Database

INSTANCES: Final = "workflows_app_instance"
BATCH: Final = 20_000
# What must be unique, or tell instances apart, is made anew for each copy.
NEW_VALUES: Final = {
    "id": "n.id",
    "instance_id": "n.id",
    "correlation_id": "n.id::text",
    "idempotency_key": "NULL",
    "created_at": "s.created_at - n.number * interval '1 second'",
}


def with_copies(database: Database, *, model: UUID, count: int) -> dict[str, int]:
    """Copy a finished instance ``count`` times.

    Args:
        model: the instance to copy.

    Returns:
        Rows added, by table.
    """
    database.execute("DROP TABLE IF EXISTS bench_new")
    database.execute("CREATE UNLOGGED TABLE bench_new AS SELECT 0 AS number, gen_random_uuid() AS id WHERE false")
    added: dict[str, int] = {}
    for begin in range(0, count, BATCH):
        size = min(BATCH, count - begin)
        database.execute("TRUNCATE bench_new")
        database.execute(
            "INSERT INTO bench_new SELECT g, gen_random_uuid() FROM generate_series(%(first)s, %(last)s) g",
            {"first": begin + 1, "last": begin + size},
        )
        for table in database.tables():
            added[table] = added.get(table, 0) + copy(database, table, model)
    database.execute("DROP TABLE bench_new")
    # As autovacuum does to a table that has grown; VACUUM cannot run beside other statements of one string.
    for table in database.tables():
        database.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(table)))
    database.execute("CHECKPOINT")
    return {table: rows for table, rows in added.items() if rows}


def copy(database: Database, table: str, model: UUID) -> int:
    """Copy the model's rows of one table to every new instance; how many rows that were."""
    columns = [
        (name, generated)
        for name, generated in database.execute(
            "SELECT column_name, is_identity = 'YES' OR column_default LIKE 'nextval%%' OR is_generated = 'ALWAYS'"
            " FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %(table)s"
            " ORDER BY ordinal_position",
            {"table": table},
        )
    ]
    names = [name for name, generated in columns if not generated]
    own = "id" if table == INSTANCES else "instance_id"
    if own not in names:
        return 0
    values = [
        sql.SQL(NEW_VALUES[name]) if is_new(table, name) else sql.SQL("s.{}").format(sql.Identifier(name))
        for name in names
    ]
    done = database.execute(
        sql.SQL(
            "WITH copied AS (INSERT INTO {table} ({names}) SELECT {values} FROM bench_new n"
            " CROSS JOIN {table} s WHERE s.{own} = %(model)s RETURNING 1) SELECT count(*) FROM copied"
        ).format(
            table=sql.Identifier(table),
            names=sql.SQL(", ").join(map(sql.Identifier, names)),
            values=sql.SQL(", ").join(values),
            own=sql.Identifier(own),
        ),
        {"model": str(model)},
    )
    return int(done[0][0])


def is_new(table: str, column: str) -> bool:
    """Whether a column of a copy gets a value of its own.

    >>> is_new("workflows_app_step", "instance_id"), is_new("workflows_app_step", "created_at")
    (True, False)
    """
    return column in NEW_VALUES and (column == "instance_id" or table == INSTANCES)
