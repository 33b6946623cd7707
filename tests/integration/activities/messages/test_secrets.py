"""A broker's log-in is in no error, no log and no result; a connection that is not one is named."""

from __future__ import annotations

import json
import logging

import pytest

from tests.integration.activities.messages.conftest import CANARY

ACTIVITIES = [("message.publish", {"to": "q", "body": 1}), ("message.receive", {"from": "q"})]


@pytest.mark.rabbitmq
@pytest.mark.redis
@pytest.mark.parametrize(("activity", "parameters"), ACTIVITIES)
@pytest.mark.parametrize("broker", ["rabbitmq", "redis"])
def test_a_refused_log_in_does_not_tell_the_password(
    refused, services, settings, monkeypatch, caplog, capfd, broker, activity, parameters
):
    server = services.broker(broker)
    scheme = {"rabbitmq": "amqp", "redis": "redis"}[broker]
    monkeypatch.setenv("BROKER_URL", f"{scheme}://guest:{CANARY}@127.0.0.1:{server.port}/0")
    settings.ORCHESTRATOR_CONNECTIONS = {"b": {"broker_url_env": "BROKER_URL"}}

    with caplog.at_level(logging.DEBUG):
        error = refused(activity, connection="b", **parameters)

    assert error.code == "CONNECTION_FAILED"
    told = [error.message, json.dumps(error.details), repr(error), caplog.text, *capfd.readouterr()]
    assert not [text for text in told if CANARY in text]


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        ({"broker_url_env": "NO_SUCH"}, "lacks NO_SUCH"),
        ({"broker_url_env": "BROKER_URL", "broker_url": "redis://h"}, "either"),
        ({"base_url": "https://bank.example"}, "not base_url"),
        ({"broker_url": f"amqp://u:{CANARY}@h"}, "must not hold a password"),
        ({"broker_url": f"amqp://u:pass/{CANARY}@h"}, "must be amqp"),
        ({"broker_url": f"amqp://u@h:{CANARY}"}, "must be amqp"),
        ({"broker_url": f"redis://h/0?password={CANARY}"}, "must not hold a query"),
        ({"broker_url": "rediss://h/0?ssl_cert_reqs=none"}, "must not hold a query"),
        ({"broker_url": "memory://h"}, "must be amqp"),
        ({"broker_url": "redis:///0"}, "must be amqp"),
        ({"broker_url": ""}, "empty"),
        ({}, "either"),
        (["broker_url"], "is a mapping"),
    ],
)
@pytest.mark.parametrize(("activity", "parameters"), ACTIVITIES)
def test_a_connection_that_is_no_broker_is_named_without_its_password(
    refused, settings, activity, parameters, definition, reason
):
    settings.ORCHESTRATOR_CONNECTIONS = {"b": definition}

    error = refused(activity, connection="b", **parameters)

    assert (error.code, error.recoverable) == ("CONNECTION_INVALID", False)
    assert reason in error.message
    assert CANARY not in error.message


@pytest.mark.parametrize(("activity", "parameters"), ACTIVITIES)
def test_a_connection_that_nobody_set_up_is_named(refused, activity, parameters):
    error = refused(activity, connection="nobody", **parameters)

    assert (error.code, error.recoverable) == ("UNKNOWN_CONNECTION", False)
    assert "nobody" in error.message


def test_http_does_not_go_through_a_brokers_connection(refused, settings):
    settings.ORCHESTRATOR_CONNECTIONS = {"b": {"broker_url": "redis://127.0.0.1"}}

    assert refused("http.request", connection="b").code == "CONNECTION_INVALID"
