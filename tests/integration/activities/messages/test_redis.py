"""Messages in Redis lists and streams: never in two places, never in none."""

from __future__ import annotations

import json
import logging
import time

import pytest

from tasks.activities.messages import holder
from tests.services.processes import PATIENCE, free_port
from workflows_app.activities import AttemptCancelled

pytestmark = pytest.mark.redis


def bodies(result):
    return [message["body"] for message in result["messages"]]


@pytest.fixture
def receive(perform, key):
    def call(context=None, **parameters):
        return perform("message.receive", context, connection="cache", **({"from": key} | parameters))

    return call


@pytest.fixture
def publish(perform, key):
    def call(context=None, **parameters):
        return perform("message.publish", context, connection="cache", **({"to": key} | parameters))

    return call


# ---------------------------------------------------------------- lists


def test_a_list_gets_an_envelope_with_the_steps_key(publish, client, key, attempt):
    result = publish(attempt(), body={"n": "ü"}, headers={"x": 1})

    assert result == {"message_id": "i-1:pay:0", "to": key}
    (raw,) = client.lrange(key, 0, -1)
    assert json.loads(raw) == {
        "id": "i-1:pay:0",
        "headers": {"idempotency-key": "i-1:pay:0", "x": 1},
        "body": {"n": "ü"},
    }


def test_a_list_of_others_gets_the_body_alone(publish, client, key):
    publish(body={"n": 1}, envelope=False)

    assert client.lrange(key, 0, -1) == [b'{"n":1}']


def test_what_was_published_is_received_in_order_with_id_and_headers(publish, receive):
    for number in range(3):
        publish(body=number, message_id=f"m-{number}", headers={"h": True})

    result = receive(max_messages=2)

    assert result["count"] == 2
    assert [(m["id"], m["body"], m["encoding"], m["headers"]["h"]) for m in result["messages"]] == [
        ("m-0", 0, "json", True),
        ("m-1", 1, "json", True),
    ]


def test_lists_of_others_are_json_text_or_base64(client, key, receive):
    client.lpush(key, b'{"a": 1}', b"{no json", b"\xff\x00", b'{"id": 1, "headers": {}, "body": 2}')

    result = receive(max_messages=9)

    assert [(m["id"], m["body"], m["encoding"]) for m in result["messages"]] == [
        (None, {"a": 1}, "json"),
        (None, "{no json", "text"),
        (None, "/wA=", "base64"),
        (None, {"id": 1, "headers": {}, "body": 2}, "json"),
    ]


@pytest.mark.parametrize("kind", ["list", "stream"])
def test_a_repeat_of_a_step_gets_the_same_messages_and_others_do_not(publish, receive, attempt, kind):
    for number in range(3):
        publish(body=number, kind=kind)

    first = receive(attempt(), max_messages=2, kind=kind)
    repeat = receive(attempt(attempt=2), max_messages=2, kind=kind)
    other = receive(attempt(step="other"), max_messages=9, kind=kind)

    assert first == repeat
    assert (bodies(first), bodies(other)) == ([0, 1], [2])


@pytest.mark.parametrize("kind", ["list", "stream"])
def test_what_is_recorded_is_gone_and_leaves_nothing_behind(publish, receive, attempt, client, key, kind):
    publish(body=1, kind=kind)
    context = attempt()
    receive(context, kind=kind)

    context.afterwards.settle(recorded=True)

    assert receive(attempt(attempt=2), kind=kind)["count"] == 0
    if kind == "list":
        assert list(client.scan_iter(f"*{key}*")) == []
    else:
        (group,) = client.xinfo_groups(key)
        assert group["pending"] == 0


@pytest.mark.parametrize("kind", ["list", "stream"])
def test_what_a_dead_worker_held_goes_to_the_next_receiver_in_the_old_order(
    publish, receive, attempt, kind, monkeypatch
):
    for number in range(3):
        publish(body=number, kind=kind)
    monkeypatch.setattr(holder, "HOLD_SECONDS", 0.0)
    receive(attempt(), max_messages=2, kind=kind)
    time.sleep(0.005)  # the server's clock passes the deadline

    next_one = receive(attempt(step="next"), max_messages=9, kind=kind)

    assert bodies(next_one) == [0, 1, 2]


def test_a_failed_attempt_puts_messages_back_at_once(publish, receive, attempt):
    for number in range(3):
        publish(body=number)
    context = attempt()
    receive(context, max_messages=2)

    context.afterwards.settle(recorded=False)

    assert bodies(receive(attempt(step="next"), max_messages=9)) == [0, 1, 2]


@pytest.mark.parametrize("recorded", [True, False])
def test_an_ending_of_an_earlier_attempt_leaves_alone_what_a_later_one_holds(publish, receive, attempt, recorded):
    publish(body=1)
    earlier, later = attempt(), attempt(attempt=2)
    receive(earlier)
    receive(later)

    earlier.afterwards.settle(recorded=recorded)

    assert receive(attempt(step="other"))["count"] == 0
    later.afterwards.settle(recorded=False)
    assert bodies(receive(attempt(step="other"))) == [1]


def test_a_late_acknowledgement_leaves_alone_what_somebody_else_has_by_now(publish, receive, attempt, monkeypatch):
    monkeypatch.setattr(holder, "HOLD_SECONDS", 0.0)
    publish(body=1)
    slow, other = attempt(), attempt(step="other")
    receive(slow)
    time.sleep(0.005)
    receive(other)

    slow.afterwards.settle(recorded=True)
    other.afterwards.settle(recorded=False)

    assert bodies(receive(attempt(step="third"))) == [1]


@pytest.mark.parametrize("kind", ["list", "stream"])
def test_a_connection_killed_between_taking_and_returning_loses_nothing(
    publish, receive, attempt, services, cuttable, refused, key, kind
):
    publish(body="precious", kind=kind)
    server = services.broker("redis")
    relay = cuttable("CACHE_URL", server.port, server.url)
    relay.cut_after = b"LMOVE" if kind == "list" else b">"
    parameters = {"connection": "cache", "kind": kind, "from": key}

    error = refused("message.receive", attempt(), **parameters)

    relay.cut_after = None
    assert (error.code, error.recoverable) == ("CONNECTION_FAILED", True)
    assert bodies(receive(attempt(attempt=2), kind=kind)) == ["precious"]


@pytest.mark.parametrize("kind", ["list", "stream"])
def test_a_publish_whose_answer_is_lost_says_so(refused, client, key, cuttable, services, kind):
    server = services.broker("redis")
    cuttable("CACHE_URL", server.port, server.url).cut_after = b"the-body"

    error = refused("message.publish", connection="cache", to=key, body="the-body", kind=kind)

    assert (error.code, error.details, error.recoverable) == (
        "MESSAGE_NOT_CONFIRMED",
        {"effect": "unknown"},
        True,
    )
    assert (client.llen if kind == "list" else client.xlen)(key) == 1, "it went out once, and only once"


def test_a_broker_that_dies_before_the_acknowledgement_is_logged_without_its_password(
    publish, receive, attempt, cuttable, services, caplog
):
    server = services.broker("redis")
    publish(body=1)
    relay = cuttable("CACHE_URL", server.port, server.url)
    context = attempt()
    receive(context)
    relay.close()

    with caplog.at_level(logging.WARNING):
        context.afterwards.settle(recorded=True)

    assert "comes again" in caplog.text


def test_an_empty_list_is_a_result_and_waiting_for_one_ends(receive, publish):
    begun = time.monotonic()
    assert receive(wait=0.3) == {"messages": [], "count": 0}
    assert 0.3 <= time.monotonic() - begun < PATIENCE

    publish(body=1)
    begun = time.monotonic()
    assert receive(wait=20, max_messages=9)["count"] == 1
    assert time.monotonic() - begun < 18


def test_an_attempts_time_out_goes_before_the_wait(receive, attempt):
    begun = time.monotonic()

    assert receive(attempt(deadline_seconds=2.1), wait=20)["count"] == 0
    assert time.monotonic() - begun < 18


def test_a_step_that_is_told_to_stop_stops_waiting_and_holds_nothing(receive, publish, attempt):
    publish(body=1)

    with pytest.raises(AttemptCancelled):
        receive(attempt(stop_requested=lambda: True), wait=20)

    assert receive()["count"] == 1


@pytest.mark.parametrize("kind", ["list", "stream"])
def test_a_message_that_is_too_large_is_named_and_not_lost(refused, client, key, settings, attempt, kind, receive):
    settings.ORCHESTRATOR_MESSAGE_MAX_BYTES = 50
    client.lpush(key, "x" * 51) if kind == "list" else client.xadd(key, {"text": "x" * 51})
    context = attempt()

    error = refused("message.receive", context, connection="cache", kind=kind, **{"from": key})

    assert (error.code, error.recoverable) == ("MESSAGE_TOO_LARGE", False)
    context.afterwards.settle(recorded=False)
    settings.ORCHESTRATOR_MESSAGE_MAX_BYTES = 1_000
    assert receive(attempt(attempt=2), kind=kind)["count"] == 1


@pytest.mark.parametrize("kind", ["list", "stream"])
def test_what_does_not_fit_into_one_result_is_left_for_later(receive, publish, settings, attempt, kind, monkeypatch):
    settings.ORCHESTRATOR_MAX_OUTPUT_BYTES = 1_100
    for letter in "abc":
        publish(body=letter * 360, kind=kind, message_id=letter)
    context = attempt()

    first = receive(context, max_messages=9, kind=kind)

    context.afterwards.settle(recorded=True)
    monkeypatch.setattr(holder, "HOLD_SECONDS", 0.0)
    assert [m["id"] for m in first["messages"]] == ["a", "b"]
    assert [m["id"] for m in receive(max_messages=9, kind=kind)["messages"]] == ["c"]


@pytest.mark.parametrize(
    ("kind", "value"), [("list", "a stream"), ("stream", "a list"), (None, "a text"), ("stream", "a text")]
)
def test_a_key_of_another_kind_is_refused(refused, client, key, kind, value):
    match value:
        case "a stream":
            client.xadd(key, {"a": 1})
        case "a list":
            client.lpush(key, 1)
        case _:
            client.set(key, 1)

    published = refused("message.publish", connection="cache", to=key, body=1, kind=kind)
    received = refused("message.receive", connection="cache", kind=kind, **{"from": key})

    assert {(e.code, e.recoverable) for e in (published, received)} == {("WRONG_KIND", False)}
    assert "effect" not in published.details


def test_what_only_amqp_knows_is_refused(refused, client, key):
    given = {"connection": "cache", "body": 1}
    assert refused("message.publish", to={"exchange": "x"}, **given).code == "INVALID_PARAMETERS"
    assert refused("message.publish", to=key, kind="stream", envelope=False, **given).code == "INVALID_PARAMETERS"
    assert refused("message.receive", connection="cache", group="g", **{"from": key}).code == "INVALID_PARAMETERS"


@pytest.mark.parametrize("activity", ["message.publish", "message.receive"])
def test_a_server_that_is_not_there_had_no_effect(refused, settings, activity):
    settings.ORCHESTRATOR_CONNECTIONS = {"gone": {"broker_url": f"redis://127.0.0.1:{free_port()}/0"}}
    parameters = {"to": "q", "body": 1} if activity == "message.publish" else {"from": "q"}

    error = refused(activity, connection="gone", **parameters)

    assert (error.code, error.recoverable, error.details) == ("CONNECTION_FAILED", True, {})


# ---------------------------------------------------------------- streams


def test_a_stream_gets_an_entry_with_the_steps_key(publish, client, key, attempt):
    publish(attempt(), body={"n": 1}, headers={"x": 1}, kind="stream")

    ((_, fields),) = client.xrange(key)
    assert fields[b"id"] == b"i-1:pay:0"
    assert json.loads(fields[b"body"]) == {"n": 1}
    assert json.loads(fields[b"headers"]) == {"idempotency-key": "i-1:pay:0", "x": 1}


def test_entries_of_others_are_received_as_their_fields(client, key, receive):
    identity = client.xadd(key, {"a": 1, "raw": b"\xff"})

    (message,) = receive(kind="stream")["messages"]

    assert message == {"id": identity.decode(), "headers": {}, "body": {"a": "1", "raw": "/w=="}, "encoding": "json"}


def test_every_group_gets_every_entry(publish, receive):
    publish(body=1, kind="stream")

    assert [receive(kind="stream", group=group)["count"] for group in ("a", "b", "a")] == [1, 1, 0]


def test_a_stream_that_is_not_there_is_an_error(refused, client, key):
    error = refused("message.receive", connection="cache", kind="stream", wait=20, **{"from": key})

    assert (error.code, error.recoverable) == ("QUEUE_NOT_FOUND", True)
    assert not client.exists(key)


def test_a_pending_entry_that_was_deleted_from_its_stream_is_passed_over(publish, receive, attempt, client, key):
    publish(body=1, kind="stream")
    publish(body=2, kind="stream")
    receive(attempt(), kind="stream", max_messages=2)
    client.xdel(key, client.xrange(key)[0][0])

    assert bodies(receive(attempt(attempt=2), kind="stream", max_messages=2)) == [2]
