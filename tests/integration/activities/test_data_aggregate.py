"""``data.aggregate``: sources are asked side by side, and the answer is whole, partial, or a failure by name."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.activities.conftest import Site
from workflows_app.activities import ActivityError, AttemptCancelled

Aggregate = Callable[..., dict[str, Any]]
JSON = {"Content_Type": "application/json"}
HANGS = 60


@pytest.fixture
def aggregate(bank: Site, perform: Callable[..., Any]) -> Aggregate:
    """Asks sources; a text stands for a path of the site."""

    def act(sources: dict[str, Any], context: dict[str, Any] | None = None, **parameters: Any) -> dict[str, Any]:
        asked = {
            name: {"connection": "bank", **(source if isinstance(source, dict) else {"path": source})}
            for name, source in sources.items()
        }
        result: dict[str, Any] = perform("data.aggregate", {"sources": asked, **parameters}, **(context or {}))
        return result

    return act


@pytest.fixture
def failure(aggregate: Aggregate) -> Callable[..., ActivityError]:
    def act(*arguments: Any, **parameters: Any) -> ActivityError:
        with pytest.raises(ActivityError) as caught:
            aggregate(*arguments, **parameters)
        return caught.value

    return act


def answers(site: Site, path: str, data: Any, status: int = 200) -> None:
    site.answers(path, status, json.dumps(data).encode(), **JSON)


@pytest.fixture
def hangs(bank: Site) -> Iterator[None]:
    """``/hangs`` takes requests and says nothing until the test is over."""
    over = threading.Event()

    def silence() -> Iterator[bytes]:
        over.wait(HANGS)
        yield b""

    bank.writes("/hangs", silence)
    yield
    over.set()


def test_all_sources_are_asked_and_what_they_answer_is_the_result(bank: Site, aggregate: Aggregate) -> None:
    answers(bank, "/customer", {"name": "ada", "address": {"city": "Paris"}})
    answers(bank, "/orders", [1, 2])
    bank.answers("/note", 200, b"paid", Content_Type="text/plain")

    result = aggregate(
        {
            "customer": {"path": "/customer", "take": "json.address.city"},
            "orders": "/orders",
            "note": "/note",
            "gone": {"path": "/customer", "take": "json.phone[0].number"},
        }
    )

    assert 0 <= result.pop("seconds") < HANGS
    assert result == {
        "data": {"customer": "Paris", "orders": [1, 2], "note": "paid", "gone": None},
        "missing": [],
        "errors": {},
        "from_cache": [],
        "complete": True,
    }


def test_the_sources_are_asked_at_the_same_time(bank: Site, aggregate: Aggregate) -> None:
    together = threading.Barrier(4)

    def answer() -> Iterator[bytes]:
        together.wait(HANGS)  # breaks unless all four are being asked
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    for number in range(4):
        bank.writes(f"/{number}", answer)

    result = aggregate({f"s{number}": f"/{number}" for number in range(4)})

    assert result["data"] == dict.fromkeys(("s0", "s1", "s2", "s3"), "ok")


def test_without_an_optional_source_the_answer_is_partial(bank: Site, aggregate: Aggregate, hangs: None) -> None:
    answers(bank, "/customer", {"name": "ada"})
    bank.answers("/broken", 503, Retry_After="7")

    result = aggregate(
        {
            "customer": "/customer",
            "orders": {"path": "/broken", "required": False},
            "scores": {"path": "/hangs", "required": False, "timeout": 0.3},
            "elsewhere": {"connection": "unknown", "required": False},
        }
    )

    assert result["data"] == {"customer": {"name": "ada"}}
    assert (result["complete"], result["missing"]) == (False, ["elsewhere", "orders", "scores"])
    found = {name: (error["code"], error["status"]) for name, error in result["errors"].items()}
    assert found == {
        "elsewhere": ("UNKNOWN_CONNECTION", 0),
        "orders": ("HTTP_ERROR", 503),
        "scores": ("HTTP_NO_ANSWER", 0),
    }


@pytest.mark.parametrize(
    ("parameters", "source"),
    [({"timeout": 0.4}, {}), ({"source_timeout": 0.4}, {}), ({"timeout": 0.4}, {"timeout": HANGS})],
)
def test_neither_one_source_nor_the_whole_takes_longer_than_it_may(
    aggregate: Aggregate, hangs: None, parameters: dict[str, Any], source: dict[str, Any]
) -> None:
    begun = time.monotonic()

    result = aggregate({"slow": {"path": "/hangs", "required": False, **source}}, **parameters)

    assert result["errors"]["slow"]["code"] == "HTTP_NO_ANSWER"
    assert time.monotonic() - begun < HANGS / 2


def test_a_partial_answer_comes_before_the_attempt_is_over(aggregate: Aggregate, hangs: None) -> None:
    begun = time.monotonic()

    result = aggregate({"slow": {"path": "/hangs", "required": False}}, {"deadline_seconds": 1.0})

    assert result["missing"] == ["slow"]
    assert time.monotonic() - begun < HANGS / 2


def test_a_required_source_that_fails_decides_at_once(
    bank: Site, failure: Callable[..., ActivityError], hangs: None
) -> None:
    bank.answers("/broken", 503, Retry_After="7")
    begun = time.monotonic()

    error = failure({"customer": "/broken", "scores": {"path": "/hangs", "required": False}})

    assert time.monotonic() - begun < HANGS / 2
    assert (error.code, error.recoverable) == ("REQUIRED_SOURCE_MISSING", True)
    assert error.message == "Required sources did not answer: customer (HTTP_ERROR)."
    assert (error.details["status"], error.details["retry_after"]) == (503, 7)
    assert error.details["missing"] == ["customer", "scores"]
    assert error.details["errors"]["scores"]["code"] == "NOT_AWAITED"
    assert "effect" not in error.details


def test_where_no_other_attempt_can_help_it_says_so(failure: Callable[..., ActivityError]) -> None:
    error = failure({"customer": {"connection": "unknown"}})

    assert (error.code, error.recoverable) == ("REQUIRED_SOURCE_MISSING", False)


def test_a_change_that_was_sent_and_not_answered_is_unknown(failure: Callable[..., ActivityError], hangs: None) -> None:
    error = failure({"charge": {"path": "/hangs", "method": "POST", "timeout": 0.3}})

    assert error.details["effect"] == "unknown"


def test_each_source_has_an_idempotency_key_of_its_own(bank: Site, aggregate: Aggregate) -> None:
    answers(bank, "/a", 1)
    answers(bank, "/b", 2)

    aggregate({"one": {"path": "/a", "method": "POST"}, "two": {"path": "/b", "method": "POST"}})

    assert sorted(seen.headers["idempotency-key"] for seen in bank.seen) == ["i-1:pay:0:one", "i-1:pay:0:two"]


def test_told_to_stop_it_gives_way(aggregate: Aggregate, hangs: None) -> None:
    begun = time.monotonic()

    with pytest.raises(AttemptCancelled):
        aggregate({"slow": "/hangs"}, {"stop_requested": lambda: time.monotonic() > begun + 0.2})

    assert time.monotonic() - begun < HANGS / 2


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ({"service": "bank"}, "connection"),
        ({"connection": None, "url": None, "service": "bank"}, "connection"),
        ({"path": "/", "operation": "x"}, "operation"),
        ({"timeout": "soon"}, "timeout"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": 0.0001, "cache": {"ttl": "never"}}, "cache.ttl"),
        ({"url": "http://a.example"}, "url"),
        ({"path": "../up"}, "path"),
    ],
)
def test_parameters_that_make_no_request_are_refused_and_nothing_is_sent(
    bank: Site, failure: Callable[..., ActivityError], source: dict[str, Any], place: str
) -> None:
    error = failure({"fine": "/", "odd": {"required": False, **source}})

    assert (error.code, error.recoverable) == ("INVALID_PARAMETERS", False)
    assert "odd" in error.message
    assert place in error.message
    assert bank.seen == []


def test_no_time_at_all_is_refused(bank: Site, failure: Callable[..., ActivityError]) -> None:
    assert failure({"fine": "/"}, timeout=0).code == "INVALID_PARAMETERS"
    assert failure({"fine": "/"}, source_timeout="0s").code == "INVALID_PARAMETERS"
    assert bank.seen == []


@pytest.mark.parametrize(
    "parameters",
    [
        {"sources": {}},
        {"sources": {f"s{number}": {"url": "http://a.example"} for number in range(21)}},
        {"sources": {"No Name": {"url": "http://a.example"}}},
        {"sources": {"a": {"url": "http://a.example", "take": "a..b"}}},
        {"sources": {"a": {"url": "http://a.example", "save": True}}},
    ],
)
def test_parameters_beyond_the_schema_are_refused(
    refusal: Callable[..., ActivityError], parameters: dict[str, Any]
) -> None:
    assert refusal("data.aggregate", parameters).code == "INVALID_PARAMETERS"
