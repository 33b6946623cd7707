"""The table that rows go into: its columns as the database knows them, and the statements that fill it.

Every name in a statement is quoted by the toolkit, and was found in the database's own catalogue before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Delete, Insert, TableClause, column, delete, inspect, table, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.types import JSON

from tasks.activities.sql import cells
from workflows_app.engine.errors import ActivityError


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A table to fill.

    Args:
        table: the table with the columns that are filled.
        documents: those among them that hold JSON.
        is_sqlite: whose dialect.
    """

    table: TableClause
    documents: frozenset[str]
    is_sqlite: bool

    def bindable(self, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Rows with values that the driver takes."""
        return [{name: self._value(name, value) for name, value in row.items()} for row in rows]

    def _value(self, name: str, value: Any) -> Any:
        if name in self.documents and value is not None:
            return cells.as_document(value, sqlite=self.is_sqlite)
        return cells.as_parameter(value, sqlite=self.is_sqlite)

    def insert(self, *, key: list[str], update: bool) -> Insert:
        """The statement that adds rows.

        Args:
            key: columns that tell rows apart; without any, rows are only added.
            update: whether a row that stands there takes the new values; it stays as it is otherwise.
        """
        adding: sqlite.Insert | postgresql.Insert
        adding = sqlite.insert(self.table) if self.is_sqlite else postgresql.insert(self.table)
        if not key:
            return adding
        others = {each.name: adding.excluded[each.name] for each in self.table.columns if each.name not in key}
        if not update or not others:
            return adding.on_conflict_do_nothing(index_elements=key)
        return adding.on_conflict_do_update(index_elements=key, set_=others)

    def emptied(self, marker: str | None) -> Delete:
        """The statement that removes all rows, or those whose column ``marker`` is ``:marked``."""
        everything = delete(self.table)
        return everything if marker is None else everything.where(self.table.c[marker] == text(":marked"))

    def lock(self, connection: Connection) -> None:
        """Keep others from writing to the table until the transaction ends; SQLite's begins with a lock."""
        if not self.is_sqlite:
            # with its per cent signs doubled, as the driver wants them
            name = connection.dialect.identifier_preparer.format_table(self.table)
            connection.exec_driver_sql(f"LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE")


def find(connection: Connection, name: str, columns: Iterable[str], *, is_sqlite: bool) -> Target:
    """Look a table up.

    Args:
        connection: where.
        name: ``table`` or ``schema.table``.
        columns: what will be filled or compared.
        is_sqlite: whose dialect.

    Raises:
        ActivityError: UNKNOWN_TABLE, UNKNOWN_COLUMN (not recoverable).
    """
    schema, _, plain = name.rpartition(".")
    try:
        types = {found["name"]: found["type"] for found in inspect(connection).get_columns(plain, schema or None)}
    except NoSuchTableError:
        types = {}
    if not types:
        raise ActivityError(f"There is no table {name!r}.", code="UNKNOWN_TABLE", recoverable=False)
    names = list(dict.fromkeys(columns))
    foreign = [each for each in names if each not in types]
    if foreign:
        raise ActivityError(
            f"The table {name!r} has no column {foreign[0]!r}.",
            code="UNKNOWN_COLUMN",
            details={"column": foreign[0]},
            recoverable=False,
        )
    return Target(
        table=table(plain, *(column(each) for each in names), schema=schema or None),
        documents=frozenset(each for each in names if isinstance(types[each], JSON)),
        is_sqlite=is_sqlite,
    )
