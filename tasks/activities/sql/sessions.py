"""One transaction of a step: begun with the step's time limit, left when told to stop, ended once.

The driver waits in C while a statement runs, where nothing interrupts it. So a second thread looks at the stop request
and the time limit, and cancels the statement on the server.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from tasks.activities.sql import databases, failures
from tasks.activities.sql.databases import Database
from workflows_app.activities import ActivityContext, ActivityError

_LOOK_SECONDS = 0.2
_PREAMBLE = text(
    "SELECT set_config('statement_timeout', :timeout, true), set_config('standard_conforming_strings', 'on', true)"
)


class Limits:
    """What ends an attempt early: its stop request, and its time limit counted from here."""

    def __init__(self, context: ActivityContext) -> None:
        self.context = context
        seconds = context.deadline_seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        """Seconds that are left, ``None`` without a limit."""
        return None if self._end is None else self._end - time.monotonic()

    def is_over(self) -> bool:
        """Whether a statement should be cancelled."""
        left = self.left()
        return self.context.should_stop() or (left is not None and left <= 0)

    def check(self) -> None:
        """Give way.

        Raises:
            AttemptCancelled: when told to stop.
            ActivityError: QUERY_TIMEOUT when no time is left.
        """
        self.context.check()
        if self.is_over():
            raise ActivityError("No time is left for another statement.", code="QUERY_TIMEOUT")


@contextmanager
def transaction(database: Database, limits: Limits, *, writes: bool) -> Iterator[Connection]:
    """Run the block in a transaction: committed at its end if it writes, rolled back if it raises.

    Args:
        database: where.
        limits: of the attempt.
        writes: whether it may change something; otherwise PostgreSQL runs it READ ONLY.

    Raises:
        ActivityError: CONNECTION_FAILED, QUERY_EXECUTION_FAILED, QUERY_TIMEOUT, READ_ONLY, SQL_NOT_ALLOWED;
            ``details.effect`` is ``unknown`` if the connection was lost during the commit.
        AttemptCancelled: when told to stop, rolled back.
    """
    limits.check()
    try:
        connection = databases.engine(database, writes=writes).connect()
    except SQLAlchemyError as error:
        raise failures.of_connecting(database, error) from None
    with connection:
        if not database.is_sqlite:
            connection = connection.execution_options(postgresql_readonly=not writes)
        watch = _Watch(limits, connection.connection.driver_connection)
        try:
            with watch:
                begun = connection.begin()
                if not database.is_sqlite:
                    left = limits.left()
                    timeout = "0" if left is None else str(max(1, int(left * 1000)))
                    connection.execute(_PREAMBLE, {"timeout": timeout})
                yield connection
        except SQLAlchemyError as error:
            limits.context.check()
            raise failures.of_statement(database, error) from None
        if not writes:
            with suppress(SQLAlchemyError):  # everything has been read; how the reading ends changes nothing
                begun.rollback()
            return
        limits.context.check()
        try:
            begun.commit()
        except SQLAlchemyError as error:
            raise failures.of_statement(database, error, committing=True) from None


class _Watch:
    """Cancels what runs on a connection once the limits are over; never after the block."""

    def __init__(self, limits: Limits, driver: Any) -> None:
        self._limits = limits
        self._cancel = driver.cancel if hasattr(driver, "cancel") else driver.interrupt
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sql-watch", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._done.set()

    def _run(self) -> None:
        while not self._done.wait(_LOOK_SECONDS):
            with self._lock:
                if self._done.is_set() or not self._limits.is_over():
                    continue
                try:
                    self._cancel()
                except Exception:  # a connection that is gone has nothing left to cancel
                    return
