"""Our Redis channel: one client for all that it sends, a new one where the old one's connections are gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

from orchestrator.settings.messaging import transport_options
from tests.services import redis
from workflows_app.running import redis_broker

pytestmark = pytest.mark.redis


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    with redis.running(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
def connection(server: redis.Redis, tmp_path: Path) -> Iterator[Connection]:
    redis_broker.register()
    server.flush()
    with Connection(server.url, transport_options=transport_options("redis", tmp_path)) as opened:
        yield opened


def send(channel: Any, text: str) -> None:
    channel.basic_publish(channel.prepare_message(text), "", "queue")


def taken(channel: Any) -> str:
    return str(channel.basic_get("queue").decode())


def test_messages_are_sent_with_one_client(connection: Connection) -> None:
    channel: Any = connection.default_channel

    with channel.conn_or_acquire() as first, channel.conn_or_acquire() as second:
        assert first is second
    with channel.conn_or_acquire(client := object()) as given:
        assert given is client
    assert channel.client is not first, "the one that waits for messages is another one"


def test_after_a_fork_there_is_a_client_with_connections_of_its_own(connection: Connection) -> None:
    channel: Any = connection.default_channel
    with channel.conn_or_acquire() as before:
        pass

    channel._after_fork()

    with channel.conn_or_acquire() as after:
        assert after.connection_pool is not before.connection_pool
    channel.queue_declare("queue")
    send(channel, "sent")
    assert taken(channel) == "sent"


def test_a_worker_holds_no_more_messages_than_it_may_and_redis_keeps_no_list_of_them(
    connection: Connection, server: redis.Redis
) -> None:
    channel: Any = connection.channel()
    channel.queue_declare("queue")
    for text in ("a", "b", "c"):
        send(channel, text)
    channel.basic_qos(prefetch_count=2)

    first, _ = channel.basic_get("queue"), channel.basic_get("queue")

    assert not channel.qos.can_consume()
    first.ack()
    assert channel.qos.can_consume()
    with server.client() as client:
        assert client.keys("unacked*") == []


def test_what_a_worker_did_not_get_to_goes_back_when_it_ends(connection: Connection) -> None:
    ending: Any = connection.channel()
    ending.queue_declare("queue")
    send(ending, "waiting")
    assert taken(ending) == "waiting"

    ending.close()

    assert taken(connection.channel()) == "waiting"


def test_where_redis_is_gone_nothing_is_kept_of_what_cannot_go_back(
    server: redis.Redis, connection: Connection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dumped: list[Any] = []
    monkeypatch.setattr("kombu.transport.virtual.base.emergency_dump_state", lambda *state, **_: dumped.append(state))
    ending: Any = connection.channel()
    ending.queue_declare("queue")
    send(ending, "waiting")
    assert taken(ending) == "waiting"
    server.kill()
    try:
        ending.close()
    finally:
        server.start()

    assert dumped == []
    assert "1 message(s) could not go back" in caplog.text
