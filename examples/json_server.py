"""A small HTTP server for the examples' services: JSON in, JSON out, a clean end.

What it answers is a function of the request; ``run`` makes a program of it that serves until SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

MAX_BODY_BYTES = 1_000_000
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A call: its method, the parts of its path, its body (``None`` without one), and the caller's idempotency key."""

    method: str
    path: tuple[str, ...]
    body: Any = None
    key: str | None = None


class RefusalError(Exception):
    """The call is answered with this status, code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"code": code, "message": message}}


Answer = Callable[[Request], Any]


class JsonServer(ThreadingHTTPServer):
    """Serves on loopback until ``stop()``.

    Args:
        answer: request → JSON value; a ``RefusalError`` is answered as it says.
        port: 0 takes any free one.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, answer: Answer, *, port: int = 0) -> None:
        self.answer = answer
        super().__init__((LOOPBACK, port), _Handler)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{LOOPBACK}:{self.server_address[1]}"

    def stop(self) -> None:
        """Accept no more calls and close. Not from the thread that serves."""
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hung up, for example because its time was over, is nobody's fault."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: JsonServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65_536  # an answer leaves as one packet
    timeout = 75  # seconds that a connection may be silent

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        try:
            body = self._body()
            path = tuple(unquote(part) for part in urlsplit(self.path).path.split("/") if part)
            status, answer = (
                200,
                self.server.answer(
                    Request(method=self.command, path=path, body=body, key=self.headers.get("Idempotency-Key"))
                ),
            )
        except RefusalError as refusal:
            status, answer = refusal.status, refusal.body
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def _body(self) -> Any:
        length = self.headers.get("Content-Length") or "0"
        if not length.isascii() or not length.isdigit() or len(length) > 9 or int(length) > MAX_BODY_BYTES:
            self.close_connection = True  # what follows is not read
            raise RefusalError(413, "TOO_LARGE", f"A body has {MAX_BODY_BYTES} bytes at most.")
        if length == "0":
            return None
        try:
            return json.loads(self.rfile.read(int(length)).decode("utf-8"))
        except (ValueError, RecursionError):
            raise RefusalError(400, "NOT_JSON", "The body is not JSON.") from None

    def log_message(self, format: str, *args: Any) -> None:
        """Calls are not logged."""


def run(answer: Answer, *, name: str, description: str, port: int, arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT.

    Args:
        answer: as of ``JsonServer``.
        name: module that is run, for the usage and the messages.
        description: one sentence for ``--help``.
        port: the usual one.
        arguments: of the command line.

    Returns:
        the exit code: 0 after a clean end, 1 if the port is taken.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {name}", description=description)
    parser.add_argument("--port", type=int, default=port, help="0 takes any free one (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        server = JsonServer(answer, port=options.port)
    except (OSError, OverflowError) as error:
        print(f"{name}: cannot listen on {LOOPBACK}:{options.port}: {error}", file=sys.stderr)
        return 1
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=server.serve_forever, name=name, daemon=True).start()
    print(f"{name}: listening on {server.url}", flush=True)
    stop.wait()
    server.stop()
    return 0
