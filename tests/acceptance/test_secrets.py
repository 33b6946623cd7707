"""A canary: a secret that a workflow uses, returns, raises and logs is in no table, no message and no log.

The database is dumped, everything that went to Redis is recorded, and what a worker writes is read, each with base64
undone: all of it may hold placeholders, masks and the ciphertext, and the canary nowhere.
"""

from __future__ import annotations

import base64
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.faults.installations import Variant
from tests.services.processes import PATIENCE, eventually
from workflows_app.running import postgres

pytestmark = [pytest.mark.acceptance, pytest.mark.redis]

CANARY = "canary-5d1e9c7ab3f2"
ENCODED = re.compile(rb"[A-Za-z0-9+/]{12,}={0,2}")


def holds(raw: bytes, text: str = CANARY) -> bool:
    """Whether a text stands in bytes, as it is or in base64 anywhere in them, twice encoded included."""
    wanted, layers = text.encode(), [raw]
    for _ in range(2):
        if any(wanted in layer for layer in layers):
            return True
        pieces = [piece for layer in layers for piece in ENCODED.findall(layer)]
        # A piece may begin in the midst of a group of four.
        layers = [base64.b64decode(part[: len(part) // 4 * 4]) for p in pieces for part in _shifted(p.rstrip(b"="))]
    return any(wanted in layer for layer in layers)


def _shifted(piece: bytes) -> Iterator[bytes]:
    for offset in range(4):
        part = piece[offset:]
        yield part + b"A" * (-len(part) % 4)


class Recorder:
    """Everything that Redis is told from now on (``MONITOR``)."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.sendall(b"MONITOR\r\n")
        self.raw = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            while piece := self._socket.recv(65536):
                self.raw += piece
        except OSError:
            return

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(PATIENCE)


@pytest.fixture
def bank() -> Iterator[tuple[str, list[str]]]:
    """A server that answers with what it was sent; its address, and what authorised the requests it saw."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(str(self.headers["Authorization"]))
            body = repr(dict(self.headers)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Echo", self.headers["Authorization"])
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    server.server_close()
    thread.join(PATIENCE)


def document(url: str) -> dict[str, Any]:
    call = {"url": f"{url}/charge", "headers": {"Authorization": "Bearer ${ secret('api') }"}}
    steps: list[dict[str, Any]] = [
        {
            "id": "charge",
            "activity": "http.request",
            "with": call,
            "compensate": {"activity": "http.request", "with": {**call, "headers": "${ with.headers }"}},
        },
        {
            "id": "pair",
            "activity": "http.request",
            "with": {**call, "headers": {"Authorization": "Basic ${ secret('pair') }"}},
        },
        {
            "id": "echo",
            "activity": "core.echo",
            "with": {"all": "${ steps.charge.output }", "own": "${ secret('api') }"},
        },
        {"id": "say", "activity": "core.log", "with": {"message": "the key is ${ secret('api') }"}},
        {"id": "tell", "activity": "test.give_away", "with": {"told": "${ secret('api') }"}},
        {"id": "task", "activity": "celery.task", "with": {"name": "give.away", "args": ["${ secret('api') }"]}},
        {
            "id": "fail",
            "activity": "test.give_away",
            "with": {"told": "x ${ secret('api') } y", "fails": True},
            "retry": {"max_attempts": 2, "initial_interval": "100ms"},
        },
    ]
    return {"workflow": "canary", "version": "1.0.0", "steps": steps}


UNCLAIMED = {
    "workflow": "unclaimed",
    "version": "1.0.0",
    "steps": [{"id": "a", "activity": "core.echo", "queue": "nobody", "with": {"key": "${ secret('api') }"}}],
}


def set_secret(product: Variant, name: str, kind: str, value: str) -> None:
    file = product.folder / "value"
    file.write_text(value)
    answer = product.command("secret", "set", name, "--type", kind, "--file", str(file))
    file.unlink()
    assert answer.code == 0, answer
    assert CANARY not in answer.out + answer.err


def dump(product: Variant) -> bytes:
    """Every row of every table, as a backup holds it."""
    done = subprocess.run(
        [str(postgres.binaries() / "pg_dump"), "--data-only", product.database_url], capture_output=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("apart", ["redis quick", "redis chords"], indirect=True)
def test_a_secret_leaves_the_worker_for_nobody_but_whom_the_step_calls(apart, bank):
    product, (url, seen) = apart, bank
    set_secret(product, "api", "token", CANARY)
    set_secret(product, "pair", "basic", f"ada:{CANARY}")
    recorder = Recorder(product.broker.port)
    worker = product.worker(
        concurrency=1,
        ORCHESTRATOR_EGRESS_ALLOW="127.0.0.1",
        ORCHESTRATOR_ACTIVITIES="tests.services.activities,tests.faults.probes,tests.acceptance.tasks_of_users",
    )

    view = product.run(document(url))
    product.publish(UNCLAIMED)
    waiting = product.begin("unclaimed")
    eventually(lambda: product.messages.waiting("nobody"), PATIENCE, "its message waits")
    product.command("workflow", "terminate", waiting)
    product.stop_workers()
    recorder.close()

    assert (view["state"], view["error"]["code"]) == ("compensated", "ValueError")
    assert seen == [
        f"Bearer {CANARY}",
        "Basic " + base64.b64encode(f"ada:{CANARY}".encode()).decode(),
        f"Bearer {CANARY}",
    ]
    assert view["steps"]["task"] == "completed", "it got its argument without a message"
    places = {
        "the database": dump(product),
        "what Redis was told": bytes(recorder.raw),
        "what is in Redis": contents(product),
        "the worker's log": worker.log.read_bytes(),
        "the sweeper's log": b"".join(each.log.read_bytes() for each in product.sweepers()),
        "what people are shown": repr([view, product.history(view["id"])]).encode(),
    }
    assert [place for place, raw in places.items() if holds(raw)] == []
    # Each place was really looked into.
    assert b"gAAAAA" in places["the database"], "the ciphertext"
    assert b'{"$secret": "api"}' in places["the database"], "the placeholders"
    assert holds(places["what Redis was told"], view["id"])
    assert holds(places["what is in Redis"], waiting)
    log = places["the worker's log"].decode()
    for said in ("the key is ***", "told ['***']", "printed ***", "to standard error ***", "it broke over x *** y"):
        assert said in log, said


def contents(product: Variant) -> bytes:
    """Every key of the broker, as Redis writes it to disk."""
    with product.broker.client() as client:
        keys = client.keys("*")
        return b"\n".join([*keys, *(client.dump(key) or b"" for key in keys), *lists(client, keys)])


def lists(client: Any, keys: list[bytes]) -> Iterator[bytes]:
    """Lists in the clear: a dump may be compressed."""
    for key in keys:
        if client.type(key) == b"list":
            yield from client.lrange(key, 0, -1)


def test_the_search_finds_what_it_looks_for():
    inner = base64.b64encode(f"user:{CANARY}".encode())
    message = base64.b64encode(b'{"a": "' + inner + b'"}')

    assert holds(b"x" + CANARY.encode())
    assert holds(inner)
    assert holds(b'{"body": "' + message + b'"}')
    assert not holds(base64.b64encode(b"nothing of that kind"))
