"""A shop that really listens, on a database of its own; late answers wait until the test lets them go."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from examples.order_processing import check
from examples.order_processing.shop.books import Books
from examples.order_processing.shop.database import Database, prepare
from examples.order_processing.shop.server import Shop

ADDRESS = {"name": "Ada Berg", "street": "Mill Lane 1", "postal_code": "10115", "city": "Berlin", "country": "DE"}


@dataclass
class Customer:
    """Calls the shop the way a workflow does; ``waiting_ends`` lets late answers go."""

    url: str
    database_url: str
    waiting_ends: threading.Event
    client: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, timeout=30))

    def post(self, path: str, idempotency_key: str, /, **body: Any) -> httpx.Response:
        return self.client.post(self.url + path, json=body, headers={"Idempotency-Key": idempotency_key})

    def pay(self, order_id: str, key: str | None = None, **more: Any) -> httpx.Response:
        body = {"order_id": order_id, "amount_cents": 1290, "card": "card-1", **more}
        return self.post("/payments", key or f"{order_id}:pay", **body)

    def reserve(self, order_id: str, sku: str = "mug-blue", quantity: int = 1, **more: Any) -> httpx.Response:
        lines = [{"sku": sku, "quantity": quantity}]
        return self.post("/stock/reserve", f"{order_id}:reserve", order_id=order_id, lines=lines, **more)

    def ship(self, order_id: str, reservation: str, **more: Any) -> httpx.Response:
        body = {"order_id": order_id, "reservation": reservation, "service": "standard", "address": ADDRESS, **more}
        return self.post("/shipments", f"{order_id}:ship", **body)

    def buy(self, order_id: str) -> dict[str, str]:
        """Take one order through; returns the ids of its payment, reservation and shipment."""
        payment = self.pay(order_id).json()["id"]
        reservation = self.reserve(order_id).json()["id"]
        shipment = self.ship(order_id, reservation).json()["id"]
        return {"payment": payment, "reservation": reservation, "shipment": shipment}

    def books(self) -> Books:
        return check.examine(self.database_url)

    def broken_rules(self) -> set[str]:
        return {finding.rule.code for finding in self.books().findings if finding.breaches}


@pytest.fixture
def shop(database_url: str) -> Iterator[Customer]:
    """A customer of a shop that serves for this test."""
    waiting_ends = threading.Event()
    database = Database(database_url)
    prepare(database)
    server = Shop(("127.0.0.1", 0), database, hold=lambda seconds: waiting_ends.wait(30))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    customer = Customer(server.url, database_url, waiting_ends)
    try:
        yield customer
    finally:
        customer.client.close()
        waiting_ends.set()
        server.stop()
        thread.join()
