"""The shop's HTTP face: one thread per connection, keep-alive, JSON in and out, a clean end.

No request can stop it: a caller that hangs up, a body that is not JSON and a database that went away are answered or
dropped, and the next call is served.
"""

from __future__ import annotations

import json
import sys
import threading
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import psycopg2

from examples.order_processing.shop import books, routes
from examples.order_processing.shop.database import Database
from examples.order_processing.shop.refusal import Refusal

MAX_BODY_BYTES = 100_000
KEY_HEADER = "Idempotency-Key"


class Shop(ThreadingHTTPServer):
    """A shop that listens; ``serve_forever()`` serves until ``stop()``.

    Args:
        address: host and port, port 0 for any free one.
        database: a prepared store.
        late_seconds: how long a late answer is held back.
        hold: waits that long; by default until the shop stops at the latest.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(
        self,
        address: tuple[str, int],
        database: Database,
        *,
        late_seconds: float = 2.5,
        hold: Callable[[float], Any] | None = None,
        verbose: bool = False,
    ) -> None:
        self.database = database
        self.late_seconds = late_seconds
        self.stopping = threading.Event()
        self.hold = hold or self.stopping.wait
        self.verbose = verbose
        self._calls = 0
        self._quiet = threading.Condition()
        super().__init__(address, Handler)

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def stop(self, *, patience_seconds: float = 5.0) -> None:
        """Accept no more calls, let those under way end, then close. Not from the thread that serves."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        with self._quiet:
            self._quiet.wait_for(lambda: self._calls == 0, timeout=patience_seconds)
        self.database.close()

    def calls_changed(self, by: int) -> None:
        with self._quiet:
            self._calls += by
            self._quiet.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hung up is nobody's fault; anything else is printed and ends only its connection."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            traceback.print_exc()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Shop
    protocol_version = "HTTP/1.1"
    server_version = "shop"
    disable_nagle_algorithm = True
    wbufsize = 65_536  # an answer leaves as one packet
    timeout = 75  # seconds that a connection may be silent

    def do_GET(self) -> None:
        self._serve(self._get)

    def do_POST(self) -> None:
        self._serve(self._post)

    def _get(self, path: str) -> tuple[int, Any, dict[str, str]]:
        if path == "/health":
            with self.server.database.transaction() as cursor:
                cursor.execute("SELECT 1")
            return 200, {"status": "ok"}, {}
        if path == "/books":
            with self.server.database.transaction() as cursor:
                return 200, books.examine(cursor).as_dict(), {}
        if path in routes.POSTS:
            raise Refusal(405, "METHOD_NOT_ALLOWED", f"{path} takes a POST.")
        raise Refusal(404, "NOT_FOUND", f"There is nothing at {path}.")

    def _post(self, path: str) -> tuple[int, Any, dict[str, str]]:
        body = self._body()
        if path in ("/health", "/books"):
            raise Refusal(405, "METHOD_NOT_ALLOWED", f"{path} takes a GET.")
        if path not in routes.POSTS:
            raise Refusal(404, "NOT_FOUND", f"There is nothing at {path}.")
        key = self.headers.get(KEY_HEADER, "").strip()
        if not 1 <= len(key) <= 300 or not key.isprintable():
            raise Refusal(400, "KEY_REQUIRED", f"A POST needs the header {KEY_HEADER}, 300 characters at most.")
        answer, late = routes.post(self.server.database, path=path, key=key, body=body)
        if late:
            self.server.hold(self.server.late_seconds)
        return answer.status, answer.body, {"Idempotent-Replayed": "true"} if answer.replayed else {}

    def _body(self) -> Any:
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit():
            self.close_connection = True
            raise Refusal(411, "LENGTH_REQUIRED", "A POST needs a Content-Length.")
        if len(length) > 9 or int(length) > MAX_BODY_BYTES:
            self.close_connection = True  # what follows is not read
            raise Refusal(413, "TOO_LARGE", f"A body has {MAX_BODY_BYTES} bytes at most.")
        try:
            body = json.loads(self.rfile.read(int(length)).decode("utf-8"))
            json.dumps(body, allow_nan=False, ensure_ascii=False).encode("utf-8")
        except (ValueError, RecursionError):
            raise Refusal(400, "NOT_JSON", "The body is not JSON.") from None
        if _has_nul(body):
            raise Refusal(400, "NOT_JSON", "A text in the body holds a NUL character.")
        return body

    def _serve(self, act: Callable[[str], tuple[int, Any, dict[str, str]]]) -> None:
        self.server.calls_changed(+1)
        try:
            try:
                status, body, headers = act(urlsplit(self.path).path)
            except Refusal as refusal:
                status, body, headers = refusal.status, refusal.answer(), {}
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                gone = Refusal(503, "DATABASE_UNAVAILABLE", "The shop's database does not answer.")
                status, body, headers = gone.status, gone.answer(), {}
            except (ConnectionError, TimeoutError):
                raise
            except Exception:
                traceback.print_exc()
                fault = Refusal(500, "FAULT", "The shop has a fault; its log says which.")
                status, body, headers = fault.status, fault.answer(), {}
            self._answer(status, body, headers)
        finally:
            self.server.calls_changed(-1)

    def _answer(self, status: int, body: Any, headers: dict[str, str]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection or self.server.stopping.is_set():
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        if self.server.verbose:
            super().log_message(format, *args)


def _has_nul(value: Any) -> bool:
    """Whether a text anywhere in a JSON value holds U+0000, which PostgreSQL cannot store."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(part) for pair in value.items() for part in pair)
    return isinstance(value, list) and any(_has_nul(part) for part in value)
