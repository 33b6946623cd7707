"""Services: what one worker learns of a service that is ill holds for every other worker at its next call."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.faults import invariants
from tests.services.documents import perform, workflow
from tests.services.product import Product

FAILURES = 3
OPEN_FOR = 3600
"""Longer than any test: only an operator closes the breaker here."""


@dataclass
class Bank:
    """A service outside; ``status`` is what it answers."""

    port: int = 0
    status: int = 503
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def bank() -> Iterator[Bank]:
    found = Bank()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.asked.append(self.headers["Idempotency-Key"])
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(found.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield found
        server.shutdown()


def charge(product: Product, queue: str) -> dict[str, object]:
    """Run one call on the worker of that queue."""
    step = perform("pay", "service.call", parameters={"service": "bank", "operation": "charge"}, queue=queue)
    return product.run(workflow(f"charge-{queue}", step))


@pytest.mark.acceptance
def test_a_breaker_that_opens_on_one_worker_holds_on_the_other(apart: Product, bank: Bank) -> None:
    document = {
        "service": "bank",
        "endpoints": [{"connection": "bank"}],
        "operations": {"charge": {"method": "POST", "path": "/charges"}},
        "breaker": {"failures": FAILURES, "open_for": OPEN_FOR},
    }
    file = apart.folder / "bank.json"
    file.write_text(json.dumps(document))
    assert apart.command("service", "register", str(file)).code == 0
    reached = json.dumps({"bank": {"base_url": f"http://127.0.0.1:{bank.port}"}})
    for queue in ("left", "right"):
        apart.worker(queue=queue, concurrency=1, ORCHESTRATOR_CONNECTIONS=reached)

    ill = [charge(apart, "left") for _ in range(FAILURES)]
    held = charge(apart, "right")
    asked = len(bank.asked)
    bank.status = 201
    closed = apart.command("service", "close", "bank", "charge", "--reason", "they say that it is mended")
    well = [charge(apart, queue) for queue in ("right", "left")]

    assert [view["error"]["code"] for view in ill] == ["SERVICE_ERROR"] * FAILURES
    assert held["error"]["code"] == "CIRCUIT_OPEN"
    assert 0 < held["error"]["details"]["retry_after"] <= OPEN_FOR
    assert asked == FAILURES
    assert closed.code == 0
    assert [view["state"] for view in well] == ["completed", "completed"]
    shown = apart.command("service", "show", "bank", "--format", "json").json
    assert [call["status"] for call in shown["calls"]] == [201, 201, 503, 503, 503]
    workers = {view["attempts"][0]["worker"].partition(":")[0] for view in (*ill, held)}
    assert len(workers) == 2
    invariants.check(apart, [view["id"] for view in (*ill, held, *well)])
