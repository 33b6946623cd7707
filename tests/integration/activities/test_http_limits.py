"""http.request against peers that are endless, slow, huge or packed: it ends, and says how."""

from __future__ import annotations

import gzip
import itertools
import json
import threading
import time
import zlib

import pytest

from workflows_app.activities import AttemptCancelled

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


def drip(start: bytes, piece: bytes, stop: threading.Event):
    """Bytes that trickle for as long as the caller listens."""
    yield start
    while not stop.wait(0.02):
        yield piece


@pytest.fixture
def stop():
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"", b""),
        (b"HTTP/1.1 200 OK\r\nX-A: ", b"a"),
        (HEAD + b"Content-Length: 100000\r\n\r\n", b"a"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["silence", "header drip", "body drip", "chunk drip", "endless continue"],
)
def test_a_slow_peer_is_left_at_the_time_out(bank, failure, stop, start, piece):
    bank.writes("/", lambda: drip(start, piece, stop))
    began = time.monotonic()

    error = failure(connection="bank", method="POST", path="/", timeout=1)

    assert time.monotonic() - began < 20
    assert (error.code, error.recoverable) == ("HTTP_NO_ANSWER", True)
    assert error.details == {"status": 0, "effect": "unknown"}
    assert "within 1 s" in error.message


def test_the_attempts_time_out_bounds_the_call_too(bank, failure, attempt, stop):
    bank.writes("/", lambda: drip(b"", b"", stop))
    began = time.monotonic()

    error = failure(attempt(deadline_seconds=0.1), connection="bank", path="/", timeout="1h")

    assert time.monotonic() - began < 20
    assert error.code == "HTTP_NO_ANSWER"


def test_a_stop_request_ends_the_wait_and_leaves_the_effect_unknown(bank, call, attempt, stop):
    bank.writes("/", lambda: drip(b"", b"", stop))
    context = attempt(stop_requested=lambda: bool(bank.seen))

    with pytest.raises(AttemptCancelled) as cancelled:
        call(context, connection="bank", method="POST", path="/")

    assert cancelled.value.details == {"status": 0, "effect": "unknown"}


def test_an_endless_answer_is_cut_at_the_cap(bank, failure):
    bank.writes("/", lambda: itertools.chain([HEAD + b"\r\n"], itertools.repeat(b"a" * 65_536)))

    error = failure(connection="bank", method="POST", path="/", timeout=20)

    assert error.code == "ANSWER_TOO_LARGE"
    assert error.details == {"status": 200, "effect": "unknown"}
    assert bank.finished.wait(60)


def test_endless_headers_are_cut(bank, failure):
    bank.writes(
        "/", lambda: itertools.chain([b"HTTP/1.1 200 OK\r\n"], itertools.repeat(b"X-A: " + b"a" * 8000 + b"\r\n"))
    )

    assert failure(connection="bank", path="/", timeout=20).code == "HTTP_NO_ANSWER"
    assert bank.finished.wait(60)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_packed_answers_are_unpacked(bank, call, encoding):
    packed = {"gzip": gzip.compress, "deflate": zlib.compress}[encoding](b"hello " * 100)
    bank.answers("/", body=packed, Content_Type="text/plain", Content_Encoding=encoding)

    assert call(connection="bank", path="/")["text"] == "hello " * 100


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_is_not_unpacked_beyond_the_cap(bank, failure, encoding, monkeypatch):
    packed = {"gzip": gzip.compress, "deflate": zlib.compress}[encoding](b"\x00" * 50_000_000)
    bank.answers("/", body=packed, Content_Encoding=encoding)

    error = failure(connection="bank", path="/")

    assert len(packed) < 100_000
    assert (error.code, error.details) == ("ANSWER_TOO_LARGE", {"status": 200})


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("br", b"x"), ("gzip, gzip", b"x"), ("gzip", b"not gzip"), ("gzip", gzip.compress(b"hello" * 100, mtime=0)[:-9])],
)
def test_an_answer_packed_in_another_way_is_unusable(bank, failure, encoding, body):
    bank.answers("/", body=body, Content_Encoding=encoding)

    error = failure(connection="bank", path="/")

    assert (error.code, error.details["status"]) == ("ANSWER_UNUSABLE", 200)


def test_the_cap_is_a_setting(bank, call, failure, settings):
    settings.ORCHESTRATOR_HTTP_MAX_RESPONSE_BYTES = 10
    bank.answers("/ten", body=b"a" * 10, Content_Type="text/plain")
    bank.answers("/eleven", body=b"a" * 11, Content_Type="text/plain")

    assert call(connection="bank", path="/ten")["text"] == "a" * 10
    assert failure(connection="bank", path="/eleven").code == "ANSWER_TOO_LARGE"


def test_a_result_beyond_the_output_limit_is_refused_as_the_answers_fault(bank, failure, settings):
    settings.ORCHESTRATOR_MAX_OUTPUT_BYTES = 500
    bank.answers("/", body=json.dumps("x" * 1000).encode(), Content_Type="application/json")

    error = failure(connection="bank", method="POST", path="/")

    assert error.code == "ANSWER_TOO_LARGE"
    assert error.details == {"status": 200, "effect": "unknown"}


def test_an_error_quotes_only_the_beginning_of_a_long_answer(bank, failure):
    bank.answers("/", 500, b"x" * 100_000, Content_Type="text/plain")

    assert len(failure(connection="bank", path="/").details["text"]) == 2000
