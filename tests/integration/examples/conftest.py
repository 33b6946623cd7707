"""A shop that really listens, on a database of its own; late answers wait until the test lets them go.

And what the other examples need: a worker that performs for real, the folder for files, the shipped connections.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from examples.file_root import CHECKOUT
from examples.json_server import Answer, JsonServer
from examples.order_processing import check
from examples.order_processing.shop.books import Books
from examples.order_processing.shop.database import Database, prepare
from examples.order_processing.shop.server import Shop
from tasks.activities import http_transport
from tasks.activities.sql import databases
from tests.integration.driver import Driver
from tests.integration.performing import Registered
from workflows_app.activities import registry

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


@pytest.fixture
def root(tmp_path: Path, settings: Any) -> Iterator[Path]:
    """The folder for files, and the connections that the examples ship; nothing else may be reached."""
    settings.ORCHESTRATOR_FILE_ROOT = str(tmp_path)
    settings.ORCHESTRATOR_EGRESS_ALLOW = []
    settings.ORCHESTRATOR_CONNECTIONS = json.loads((CHECKOUT / "examples" / "connections.json").read_text())
    yield tmp_path
    databases.forget_all()
    http_transport.close_all()


@pytest.fixture
def worker(driver: Driver, root: Path) -> Driver:
    """A driver that performs every activity for real; a test may set others by path."""
    registry.discover()
    driver.perform = Registered()
    return driver


@pytest.fixture
def serve(settings: Any, root: Path) -> Iterator[Callable[[str, Answer], None]]:
    """Serves an example's service on a free port, as the connection that its definition names."""
    with ExitStack() as running:

        def start(connection: str, answer: Answer) -> None:
            url = running.enter_context(_serving(answer))
            settings.ORCHESTRATOR_CONNECTIONS = settings.ORCHESTRATOR_CONNECTIONS | {connection: {"base_url": url}}

        yield start


@contextmanager
def _serving(answer: Answer) -> Iterator[str]:
    server = JsonServer(answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.url
    finally:
        server.stop()
        thread.join()
