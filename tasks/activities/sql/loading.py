"""Loading rows into a table: batch by batch, or all of them in one transaction.

Insert and upsert commit each batch, so that a repetition begins anew and meets its own rows: with a key they are
updated or left alone. What replaces rows (all of the table's, or those of the step's own marker) is one transaction
under a lock, so that two attempts at once leave the rows of one.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Insert

from tasks.activities.sql import sources, targets
from tasks.activities.sql.databases import Database, get
from tasks.activities.sql.sessions import Limits, transaction
from tasks.activities.sql.sources import Batch, Source, refuse
from workflows_app.engine.errors import ActivityError, AttemptCancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be loaded, as the step says it.

    Args:
        table: ``table`` or ``schema.table``.
        rows: mappings, or ``None`` with ``from_query``.
        from_query: ``connection``, ``sql``, ``params``, or ``None``.
        columns: the columns to fill, ``None`` for all that the source has.
        mode: ``insert``, ``upsert`` or ``replace``.
        key: columns that tell rows apart.
        batch_size: rows that are held and sent at a time.
        marker: column that receives the step's idempotency key.
    """

    table: str
    rows: list[dict[str, Any]] | None
    from_query: dict[str, Any] | None
    columns: list[str] | None
    mode: str
    key: list[str]
    batch_size: int
    marker: str | None

    def check(self, target: Database) -> None:
        """Refuse parameters that contradict each other.

        Raises:
            ActivityError: INVALID_PARAMETERS (not recoverable).
        """
        if (self.rows is None) == (self.from_query is None):
            refuse("rows", "give either rows or from_query.")
        if self.mode == "upsert" and not self.key:
            refuse("key", "the mode upsert needs the columns that tell rows apart.")
        if self.mode == "replace" and self.key:
            refuse("key", "the mode replace takes no key.")
        if self.marker is not None and self.mode != "insert":
            refuse("marker", f"the mode {self.mode} takes no marker: it may be repeated as it is.")
        if self.marker is not None and self.key:
            refuse("marker", "give a key or a marker: either makes a repetition harmless.")
        if self.from_query is not None and target.is_sqlite and get(self.from_query["connection"]).url == target.url:
            refuse("from_query", "a SQLite file cannot be read and written at once; use INSERT … SELECT.")


@dataclass(slots=True)
class _Tally:
    """What was done so far."""

    loaded: int = 0
    skipped: int = 0
    batches: int = 0
    committed: int = 0

    def result(self) -> dict[str, int]:
        return {"loaded": self.loaded, "skipped": self.skipped, "batches": self.batches}


def load(database: Database, order: Order, limits: Limits) -> dict[str, int]:
    """Load the rows.

    Args:
        database: of the table.
        order: what to load.
        limits: of the attempt.

    Returns:
        ``{loaded, skipped, batches}``: rows that were added or updated, rows that stood there already or came
        twice, and how many batches they came in.

    Raises:
        ActivityError: as ``transaction``; ``details`` tells what was loaded, and ``effect`` is ``unknown`` as soon
            as a batch was committed.
        AttemptCancelled: when told to stop, with the same details.
    """
    order.check(database)
    tally = _Tally()
    try:
        with _source(order, limits) as source:
            _check_columns(order, source)
            if order.mode == "replace" or order.marker is not None:
                _anew(database, order, source, limits, tally)
            else:
                _batch_by_batch(database, order, source, limits, tally)
    except ActivityError as error:
        if tally.committed:
            facts = {"effect": "unknown", "loaded": tally.loaded, "batches": tally.committed}
            if isinstance(error, AttemptCancelled):
                raise AttemptCancelled(error.message, details=error.details | facts) from None
            error.details.update(facts)
        raise
    return tally.result()


def _check_columns(order: Order, source: Source) -> None:
    if order.marker in source.columns:
        refuse("marker", f"the rows fill the column {order.marker!r} themselves.")
    foreign = [name for name in order.key if name not in source.columns]
    if source.columns and foreign:
        refuse("key", f"the rows have no {foreign[0]!r}.")


def _source(order: Order, limits: Limits) -> Any:
    if order.from_query is not None:
        return sources.of_query(order.from_query, order.columns, order.batch_size, limits)
    return nullcontext(sources.of_rows(order.rows or [], order.columns, order.batch_size))


def _anew(database: Database, order: Order, source: Source, limits: Limits, tally: _Tally) -> None:
    marked = limits.context.idempotency_key
    with transaction(database, limits, writes=True) as connection:
        target = _target(connection, database, order, source)
        target.lock(connection)
        connection.execute(target.emptied(order.marker), {"marked": marked} if order.marker else {})
        adding = target.insert(key=[], update=False)
        for batch in source.batches:
            limits.check()
            rows = [row | {order.marker: marked} for row in batch] if order.marker else batch
            _add(connection, adding, target, rows, tally)
    tally.committed = tally.batches


def _batch_by_batch(database: Database, order: Order, source: Source, limits: Limits, tally: _Tally) -> None:
    target: targets.Target | None = None
    for batch in source.batches:
        rows = _last_of_each(batch, order.key) if order.mode == "upsert" else batch
        tally.skipped += len(batch) - len(rows)
        before = tally.loaded, tally.skipped, tally.batches
        try:
            with transaction(database, limits, writes=True) as connection:
                target = target or _target(connection, database, order, source)
                _add(connection, target.insert(key=order.key, update=order.mode == "upsert"), target, rows, tally)
        except BaseException:
            tally.loaded, tally.skipped, tally.batches = before  # rolled back, or not known
            raise
        tally.committed += 1


def _target(connection: Connection, database: Database, order: Order, source: Source) -> targets.Target:
    names = [*source.columns, *([order.marker] if order.marker else [])]
    return targets.find(connection, order.table, names, is_sqlite=database.is_sqlite)


def _add(connection: Connection, adding: Insert, target: targets.Target, rows: Batch, tally: _Tally) -> None:
    done = connection.execute(
        adding,
        target.bindable(rows),
        execution_options={"preserve_rowcount": True, "insertmanyvalues_page_size": max(len(rows), 1)},
    ).rowcount
    added = len(rows) if done < 0 else min(done, len(rows))
    tally.loaded += added
    tally.skipped += len(rows) - added
    tally.batches += 1


def _last_of_each(batch: Batch, key: list[str]) -> Batch:
    """The rows of a batch without those whose key comes again: a statement cannot update one row twice."""
    found: dict[Any, dict[str, Any]] = {}
    for number, row in enumerate(batch):
        values = tuple(row[name] for name in key)
        try:
            place: Any = number if None in values else values  # null equals nothing
            found.pop(place, None)
            found[place] = row
        except TypeError:
            refuse("key", "lists and mappings cannot tell rows apart.")
    return list(found.values())
