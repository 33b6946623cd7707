"""The customer service that orders are enriched from: ``python -m examples.event_driven_integration.customers``.

A small real HTTP service over a fixed list of customers. It can be told to be out of order for its first calls.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

CUSTOMERS: dict[str, dict[str, Any]] = {
    "4711": {"id": 4711, "name": "Ada Berg", "city": "Berlin", "segment": "gold", "rating": "A"},
    "4712": {"id": 4712, "name": "Bea Holm", "city": "Oslo", "segment": "silver", "rating": "B"},
    "4713": {"id": 4713, "name": "Carlo Riva", "city": "Rome", "segment": "new", "rating": "C"},
}


class Customers(ThreadingHTTPServer):
    """The service; ``serve_forever()`` serves until ``shutdown()``.

    Args:
        address: host and port, port 0 for any free one.
        out_of_order: so many calls are answered with 503 before the first that works.
    """

    daemon_threads = True

    def __init__(self, address: tuple[str, int], *, out_of_order: int = 0) -> None:
        self._lock = threading.Lock()
        self._out_of_order = out_of_order
        self.calls = 0
        super().__init__(address, Handler)

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def look_up(self, customer_id: str) -> tuple[HTTPStatus, dict[str, Any]]:
        """Answer one call: the customer, or why there is none."""
        with self._lock:
            self.calls += 1
            if self._out_of_order > 0:
                self._out_of_order -= 1
                return HTTPStatus.SERVICE_UNAVAILABLE, {"error": "out of order"}
        found = CUSTOMERS.get(customer_id)
        if found is None:
            return HTTPStatus.NOT_FOUND, {"error": f"there is no customer {customer_id}"}
        return HTTPStatus.OK, found


class Handler(BaseHTTPRequestHandler):
    """``GET /customers?id=ID`` and ``GET /health``."""

    server: Customers
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if address.path == "/health":
            self._answer(HTTPStatus.OK, {"status": "ok"})
        elif address.path == "/customers":
            (customer_id, *_) = parse_qs(address.query).get("id", [""])
            self._answer(*self.server.look_up(customer_id))
        else:
            self._answer(HTTPStatus.NOT_FOUND, {"error": "there are /customers?id=ID and /health"})

    def _answer(self, status: HTTPStatus, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Be quiet: who calls is seen in the histories of the instances."""


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code: 0 after a clean end, 1 without a port."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.event_driven_integration.customers", description="A small customer service."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8095, help="0 takes any free one (default: %(default)s)")
    parser.add_argument("--out-of-order", type=int, default=0, metavar="N", help="answer the first N calls with 503")
    options = parser.parse_args(arguments)
    try:
        service = Customers((options.host, options.port), out_of_order=options.out_of_order)
    except OSError as error:
        print(f"customers: cannot listen on {options.host}:{options.port}: {error}", file=sys.stderr)
        return 1
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=service.serve_forever, name="customers", daemon=True).start()
    print(f"customers: listening on {service.url}", flush=True)
    stop.wait()
    service.shutdown()
    service.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
