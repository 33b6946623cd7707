"""The shop's store: a small pool of PostgreSQL connections and the schema that it keeps there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extras import execute_values

from examples.order_processing import catalogue
from examples.order_processing.shop.refusal import Refusal

SCHEMA = Path(__file__).with_name("schema.sql")
BUILDING = 7_310_001  # advisory lock: two shops that start at once build one schema
PATIENCE_SECONDS = 10.0


class Database:
    """Lends connections, one transaction each.

    Args:
        url: PostgreSQL URL or DSN.
        size: connections in use at most; further callers wait 10 s for their turn, then are refused.
    """

    def __init__(self, url: str, *, size: int = 8) -> None:
        self._url = url
        self._turns = threading.BoundedSemaphore(size)
        self._idle: list[Any] = []

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """A cursor whose work is committed at the end of the block, or rolled back when the block raises.

        Raises:
            Refusal: 503 when every connection stays in use.
            psycopg2.OperationalError: when the database does not answer.
        """
        if not self._turns.acquire(timeout=PATIENCE_SECONDS):
            raise Refusal(503, "BUSY", "Every database connection of the shop is in use.")
        try:
            connection = self._take()
            try:
                with connection, connection.cursor() as cursor:
                    yield cursor
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                connection.close()
                self._forget_idle()  # the others are as dead as this one after a restart
                raise
            finally:
                if not connection.closed:
                    self._idle.append(connection)
        finally:
            self._turns.release()

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._forget_idle()

    def _take(self) -> Any:
        try:
            return self._idle.pop()
        except IndexError:
            return psycopg2.connect(self._url, connect_timeout=5, application_name="shop")

    def _forget_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()


def prepare(database: Database, *, reset: bool = False) -> bool:
    """Build and stock the schema ``shop`` where it is missing.

    Args:
        reset: drop what is there first.

    Returns:
        Whether it was built now.
    """
    with database.transaction() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (BUILDING,))
        if reset:
            cursor.execute("SET LOCAL client_min_messages = warning")
            cursor.execute("DROP SCHEMA IF EXISTS shop CASCADE")
        cursor.execute("SELECT to_regclass('shop.confirmations') IS NOT NULL")
        if cursor.fetchone()[0]:
            return False
        cursor.execute(SCHEMA.read_text(encoding="utf-8"))
        products = catalogue.PRODUCTS
        execute_values(
            cursor,
            "INSERT INTO shop.products (sku, name, price_cents) VALUES %s",
            [(product.sku, product.name, product.price_cents) for product in products],
        )
        execute_values(
            cursor,
            "INSERT INTO shop.stock (sku, initial, on_hand) VALUES %s",
            [(product.sku, product.units, product.units) for product in products],
        )
        return True
