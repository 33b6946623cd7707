"""Messages over RabbitMQ: confirmed or said not to be, and unacknowledged until the result is recorded."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import amqp
import pytest

from tests.services.processes import PATIENCE, free_port
from workflows_app.activities import AttemptCancelled

pytestmark = pytest.mark.rabbitmq


def put(channel: Any, queue: str, body: str | bytes, **properties: Any) -> None:
    channel.basic_publish(amqp.Message(body, **properties), "", queue)


def ready(channel: Any, queue: str) -> int:
    return int(channel.queue_declare(queue, passive=True).message_count)


def wait_for(channel: Any, queue: str, count: int) -> None:
    ends = time.monotonic() + 60
    while ready(channel, queue) != count:
        assert time.monotonic() < ends, f"{ready(channel, queue)} messages, not {count}"
        time.sleep(0.02)


def test_a_published_message_carries_the_steps_key_and_survives_the_broker(perform, channel, queue, attempt):
    result = perform("message.publish", attempt(), connection="events", to=queue, body={"n": "ü"}, headers={"x": 1})

    message = channel.basic_get(queue, no_ack=True)
    assert result == {"message_id": "i-1:pay:0", "to": queue}
    assert json.loads(message.body) == {"n": "ü"}
    assert message.properties["message_id"] == "i-1:pay:0"
    assert message.properties["application_headers"] == {"idempotency-key": "i-1:pay:0", "x": 1}
    assert (message.properties["content_type"], message.properties["delivery_mode"]) == ("application/json", 2)


def test_an_id_of_ones_own_and_an_exchange(perform, channel, queue):
    to = {"exchange": f"x-{queue}", "routing_key": "order.new"}
    channel.exchange_declare(to["exchange"], "topic", auto_delete=True)
    channel.queue_bind(queue, to["exchange"], "order.*")

    result = perform("message.publish", connection="events", to=to, body=None, message_id="mine")

    message = channel.basic_get(queue, no_ack=True)
    assert (result, message.properties["message_id"]) == ({"message_id": "mine", "to": to}, "mine")
    assert message.body in ("null", b"null")


def test_a_key_that_is_too_long_for_an_id_travels_as_its_digest_and_whole_in_the_header(
    perform, channel, queue, attempt
):
    key = "k" * 400

    result = perform("message.publish", attempt(idempotency_key=key), connection="events", to=queue, body=1)

    message = channel.basic_get(queue, no_ack=True)
    assert len(result["message_id"]) == 64
    assert message.properties["application_headers"]["idempotency-key"] == key


@pytest.mark.parametrize("to", ["no-such-queue", {"exchange": "no-such-exchange"}, {"exchange": "amq.direct"}])
def test_a_message_that_no_queue_takes_is_an_error(refused, rabbit, to):
    error = refused("message.publish", connection="events", to=to, body={})

    assert (error.code, error.recoverable) == ("UNROUTABLE", True)
    assert "effect" not in error.details


def test_a_publish_whose_confirmation_is_lost_says_so(refused, rabbit, channel, queue, cuttable):
    relay = cuttable("EVENTS_URL", rabbit.port, rabbit.url)
    relay.cut_after = b"the-body"

    error = refused("message.publish", connection="events", to=queue, body="the-body")

    assert (error.code, error.details["effect"], error.recoverable) == ("MESSAGE_NOT_CONFIRMED", "unknown", True)
    wait_for(channel, queue, 1)


def test_a_queue_that_is_full_and_refuses_does_not_confirm(refused, perform, channel, queue):
    full = f"{queue}-full"
    channel.queue_declare(
        full, auto_delete=False, durable=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"}
    )
    perform("message.publish", connection="events", to=full, body=1)

    error = refused("message.publish", connection="events", to=full, body=2)

    channel.queue_delete(full)
    assert (error.code, error.details["effect"]) == ("MESSAGE_NOT_CONFIRMED", "unknown")


@pytest.mark.parametrize("activity", ["message.publish", "message.receive"])
def test_a_broker_that_is_not_there_had_no_effect(refused, settings, activity):
    settings.ORCHESTRATOR_CONNECTIONS = {"gone": {"broker_url": f"amqp://127.0.0.1:{free_port()}//"}}
    parameters = {"to": "q", "body": 1} if activity == "message.publish" else {"from": "q"}

    error = refused(activity, connection="gone", **parameters)

    assert (error.code, error.recoverable, error.details) == ("CONNECTION_FAILED", True, {})


def test_a_body_beyond_the_limit_is_not_sent(refused, channel, queue, settings):
    settings.ORCHESTRATOR_MESSAGE_MAX_BYTES = 20

    error = refused("message.publish", connection="events", to=queue, body="x" * 20)

    assert (error.code, error.recoverable) == ("MESSAGE_TOO_LARGE", False)
    assert error.details == {"size": 22, "limit": 20, "id": None}
    assert ready(channel, queue) == 0


def test_what_only_redis_knows_is_refused(refused, rabbit, queue):
    for extra in ({"kind": "list"}, {"envelope": False}):
        assert refused("message.publish", connection="events", to=queue, body=1, **extra).code == "INVALID_PARAMETERS"
    for extra in ({"kind": "stream"}, {"group": "g"}, {"from": "ü" * 200}):
        given = {"from": queue} | extra
        assert refused("message.receive", connection="events", **given).code == "INVALID_PARAMETERS"


def test_an_empty_queue_is_a_result(perform, rabbit, queue):
    assert perform("message.receive", connection="events", **{"from": queue}) == {"messages": [], "count": 0}


def test_a_queue_that_is_not_there_is_an_error(refused, rabbit):
    error = refused("message.receive", connection="events", wait=20, **{"from": "no-such-queue"})

    assert (error.code, error.recoverable) == ("QUEUE_NOT_FOUND", True)


def test_received_messages_are_json_text_or_base64_in_the_order_of_the_queue(perform, channel, queue):
    put(channel, queue, '{"a": 1}', message_id="m-1", application_headers={"n": 1, "deep": {"list": [b"\xff"]}})
    put(channel, queue, "{no json")
    put(channel, queue, b"\xff\x00")
    put(channel, queue, "7", content_type="text/plain")
    put(channel, queue, '{"n": NaN}')

    result = perform("message.receive", connection="events", max_messages=100, **{"from": queue})

    assert result["count"] == 5
    assert result["messages"][0] == {
        "id": "m-1",
        "headers": {"n": 1, "deep": {"list": ["/w=="]}},
        "body": {"a": 1},
        "encoding": "json",
    }
    assert [(m["body"], m["encoding"]) for m in result["messages"][1:]] == [
        ("{no json", "text"),
        ("/wA=", "base64"),
        ("7", "text"),
        ('{"n": NaN}', "text"),
    ]


def test_messages_are_acknowledged_when_the_result_is_recorded_and_not_before(perform, channel, queue, attempt):
    for number in range(3):
        put(channel, queue, str(number))
    context = attempt()

    result = perform("message.receive", context, connection="events", max_messages=2, **{"from": queue})

    assert [message["body"] for message in result["messages"]] == [0, 1]
    assert ready(channel, queue) == 1, "two are held, and not yet gone"
    context.afterwards.settle(recorded=True)
    assert ready(channel, queue) == 1
    assert perform("message.receive", connection="events", max_messages=9, **{"from": queue})["count"] == 1


def test_messages_of_an_attempt_that_is_not_recorded_come_again(perform, channel, queue, attempt):
    put(channel, queue, "1")
    context = attempt()
    perform("message.receive", context, connection="events", **{"from": queue})

    context.afterwards.settle(recorded=False)

    wait_for(channel, queue, 1)
    again = perform("message.receive", attempt(attempt=2), connection="events", **{"from": queue})
    assert [message["body"] for message in again["messages"]] == [1]


def test_a_worker_that_dies_between_taking_and_recording_loses_nothing(
    perform, rabbit, channel, queue, attempt, cuttable, caplog
):
    relay = cuttable("EVENTS_URL", rabbit.port, rabbit.url)
    put(channel, queue, "1")
    context = attempt()
    perform("message.receive", context, connection="events", **{"from": queue})
    assert ready(channel, queue) == 0

    relay.cut()

    wait_for(channel, queue, 1)
    with caplog.at_level(logging.WARNING):
        context.afterwards.settle(recorded=True)  # too late: a duplicate, no loss
    assert "comes again" in caplog.text
    assert "guest" not in caplog.text


def test_a_message_that_is_too_large_stays_and_is_named(refused, channel, queue, settings, attempt):
    settings.ORCHESTRATOR_MESSAGE_MAX_BYTES = 50
    put(channel, queue, "x" * 51, message_id="big")

    context = attempt()

    error = refused("message.receive", context, connection="events", **{"from": queue})

    assert (error.code, error.recoverable) == ("MESSAGE_TOO_LARGE", False)
    assert error.details == {"size": 51, "limit": 50, "id": "big"}
    context.afterwards.settle(recorded=False)
    wait_for(channel, queue, 1)


def test_what_does_not_fit_into_one_result_waits_for_the_next(perform, channel, queue, settings, attempt):
    settings.ORCHESTRATOR_MAX_OUTPUT_BYTES = 1_100
    for letter in "abc":
        put(channel, queue, letter * 400)
    context = attempt()

    first = perform("message.receive", context, connection="events", max_messages=9, **{"from": queue})

    context.afterwards.settle(recorded=True)
    second = perform("message.receive", connection="events", max_messages=9, **{"from": queue})
    assert [message["body"][0] for message in first["messages"]] == ["a", "b"]
    assert [message["body"][0] for message in second["messages"]] == ["c"]


def test_a_wait_ends_with_the_first_message_or_when_its_time_is_over(perform, channel, queue):
    begun = time.monotonic()
    assert perform("message.receive", connection="events", wait=0.3, **{"from": queue})["count"] == 0
    assert 0.3 <= time.monotonic() - begun < PATIENCE

    put(channel, queue, "1")
    begun = time.monotonic()
    assert perform("message.receive", connection="events", wait=20, max_messages=5, **{"from": queue})["count"] == 1
    assert time.monotonic() - begun < 18


def test_a_step_that_is_told_to_stop_stops_waiting(perform, channel, queue, attempt):
    context = attempt(stop_requested=lambda: True)

    with pytest.raises(AttemptCancelled):
        perform("message.receive", context, connection="events", wait=20, **{"from": queue})
