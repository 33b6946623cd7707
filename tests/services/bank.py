"""A service outside: it answers as a test says, or keeps its callers waiting."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from tests.services.documents import perform
from tests.services.processes import PATIENCE
from tests.services.product import Product


@dataclass
class Bank:
    """What it answers (``status``), whether it answers at all (``open``), and which keys it was asked with.

    Whoever tells it an address in ``answer_to`` is answered there later, twice; ``met_with`` are the statuses that
    these answers were met with.
    """

    port: int = 0
    status: int = 503
    asked: list[str] = field(default_factory=list)
    met_with: list[int] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)

    @property
    def environment(self) -> dict[str, str]:
        """What makes a worker know it as the connection ``bank``."""
        return {"ORCHESTRATOR_CONNECTIONS": json.dumps({"bank": {"base_url": f"http://127.0.0.1:{self.port}"}})}

    def registered(self, product: Product, *, timeout: str = "30s", **more: Mapping[str, Any]) -> None:
        """Register it as the service ``bank`` with one operation, ``charge``."""
        operation = {"method": "POST", "path": "/charges", "timeout": timeout}
        document = {
            "service": "bank",
            "endpoints": [{"connection": "bank"}],
            "operations": {"charge": operation},
            **more,
        }
        file = product.folder / "bank.json"
        file.write_text(json.dumps(document))
        answer = product.command("service", "register", str(file))
        assert answer.code == 0, answer

    def call_back(self, address: str) -> None:
        """Answer at an address, and then again."""
        for _ in range(2):
            answer = httpx.post(address, json={"booked": True}, trust_env=False, timeout=PATIENCE)
            self.met_with.append(answer.status_code)

    def shown(self, product: Product) -> Any:
        """What ``service show`` says of it."""
        return product.command("service", "show", "bank", "--format", "json").json


def charge(**more: Any) -> dict[str, Any]:
    """A step that asks it once."""
    return perform("pay", "service.call", parameters={"service": "bank", "operation": "charge"}, **more)


@contextmanager
def running() -> Iterator[Bank]:
    """A bank that answers until the block ends."""
    bank = Bank()
    bank.open.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bank.asked.append(self.headers["Idempotency-Key"])
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            address = json.loads(body).get("answer_to") if body else None
            if address is not None:
                threading.Thread(target=bank.call_back, args=(address,), daemon=True).start()
            bank.open.wait(60)
            try:
                self.send_response(bank.status)
                self.send_header("Content-Length", "0")
                self.end_headers()
            except OSError:
                self.close_connection = True  # who asked is dead by now

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        bank.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield bank
        finally:
            bank.open.set()
            server.shutdown()
            thread.join()
