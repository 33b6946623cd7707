"""An attempt to hand to activities, and a web server on this machine that does what a test says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tasks.activities import http, http_transport  # noqa: F401
from tests.integration.activities.databases import file_root, postgres, sqlite  # noqa: F401
from workflows_app.activities import ActivityContext, ActivityError, registry


@pytest.fixture
def attempt() -> Callable[..., ActivityContext]:
    def make(**changes: Any) -> ActivityContext:
        given: dict[str, Any] = {
            "instance_id": "i-1",
            "workflow": "orders",
            "version": "1.0.0",
            "correlation_id": "c-1",
            "step": "pay",
            "attempt": 1,
            "idempotency_key": "i-1:pay:0",
        }
        return ActivityContext(**(given | changes))

    return make


@dataclass
class Seen:
    """A request as the server saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    peer: int


@dataclass
class Site:
    """A server whose answers tests set per path; unknown paths are answered with 404."""

    port: int
    routes: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    finished: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answers(self, path: str, status: int = 200, body: bytes = b"", **headers: str) -> None:
        def route(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            if handler.command != "HEAD":
                handler.wfile.write(body)

        self.routes[path] = route

    def writes(self, path: str, pieces: Callable[[], Iterator[bytes]]) -> None:
        """Raw bytes in place of an answer; the connection ends with them or when the caller hangs up."""

        def route(handler: BaseHTTPRequestHandler) -> None:
            handler.close_connection = True
            try:
                for piece in pieces():
                    handler.wfile.write(piece)
                    handler.wfile.flush()
            except OSError:
                pass
            finally:
                self.finished.set()

        self.routes[path] = route


def _serve() -> tuple[Site, ThreadingHTTPServer, threading.Thread]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except OSError:
                self.close_connection = True

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            site.seen.append(Seen(self.command, self.path, headers, body, self.client_address[1]))
            route = site.routes.get(self.path.partition("?")[0])
            if route is None:
                self.send_error(404)
            else:
                route(self)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

        def log_message(self, *args: Any) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *args: Any) -> None: ...

    server = Server(("127.0.0.1", 0), Handler)
    site = Site(port=server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    return site, server, thread


def _site() -> Iterator[Site]:
    site, server, thread = _serve()
    yield site
    http_transport.close_all()
    server.shutdown()
    thread.join()
    server.server_close()


site = pytest.fixture(_site, name="site")
other_site = pytest.fixture(_site, name="other_site")


@pytest.fixture(autouse=True)
def _nothing_allowed(settings: Any) -> Iterator[None]:
    settings.ORCHESTRATOR_EGRESS_ALLOW = []
    settings.ORCHESTRATOR_CONNECTIONS = {}
    yield
    http_transport.close_all()


@pytest.fixture
def bank(site: Site, settings: Any) -> Site:
    """The site, set up as the connection ``bank``."""
    settings.ORCHESTRATOR_CONNECTIONS = {"bank": {"base_url": site.url}}
    return site


@pytest.fixture
def call(attempt: Callable[..., ActivityContext]) -> Callable[..., Any]:
    """Performs ``http.request`` with the given parameters."""

    def perform(context: ActivityContext | None = None, **parameters: Any) -> Any:
        return registry.get("http.request").perform(parameters, context or attempt())

    return perform


@pytest.fixture
def failure(call: Callable[..., Any]) -> Callable[..., ActivityError]:
    """The error of an ``http.request`` that must fail."""

    def perform(context: ActivityContext | None = None, **parameters: Any) -> ActivityError:
        with pytest.raises(ActivityError) as caught:
            call(context, **parameters)
        assert isinstance(caught.value.details.get("status"), int) or caught.value.code == "INVALID_PARAMETERS"
        return caught.value

    return perform


@pytest.fixture
def perform(attempt: Callable[..., ActivityContext]) -> Callable[..., Any]:
    """Performs any activity: ``perform("sql.query", {...})``; what else is given describes the attempt."""

    def act(name: str, parameters: dict[str, Any], **context: Any) -> Any:
        registry.discover()
        return registry.get(name).perform(parameters, attempt(**context))

    return act


@pytest.fixture
def refusal(perform: Callable[..., Any]) -> Callable[..., ActivityError]:
    """The error of an activity that must fail."""

    def act(name: str, parameters: dict[str, Any], **context: Any) -> ActivityError:
        with pytest.raises(ActivityError) as caught:
            perform(name, parameters, **context)
        return caught.value

    return act
