"""A RabbitMQ and a Redis of the run's own, behind connections, and the two activities."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from tests.integration.activities.messages.relay import Relay, relaying
from tests.services.fixtures import Services
from tests.services.rabbitmq import RabbitMQ
from workflows_app.activities import ActivityContext, ActivityError, registry

CANARY = "canary-5ecret"


@pytest.fixture(autouse=True)
def _discovered() -> None:
    registry.discover()


@pytest.fixture
def rabbit(services: Services, settings: Any, monkeypatch: pytest.MonkeyPatch) -> RabbitMQ:
    """A RabbitMQ as the connection ``events``."""
    server: RabbitMQ = services.broker("rabbitmq")
    monkeypatch.setenv("EVENTS_URL", server.url)
    settings.ORCHESTRATOR_CONNECTIONS["events"] = {"broker_url_env": "EVENTS_URL"}
    return server


@pytest.fixture
def channel(rabbit: RabbitMQ) -> Iterator[Any]:
    """A channel of the test's own to that RabbitMQ."""
    with rabbit.connection() as connection:
        yield connection.channel()


@pytest.fixture
def queue(channel: Any) -> Iterator[str]:
    """A queue that is there for one test."""
    name = f"q-{uuid.uuid4().hex}"
    channel.queue_declare(name, durable=True, auto_delete=False)
    yield name
    channel.queue_delete(name)


@pytest.fixture
def client(services: Services, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """A Redis as the connection ``cache``, and the test's own client to it."""
    server = services.broker("redis")
    monkeypatch.setenv("CACHE_URL", server.url)
    settings.ORCHESTRATOR_CONNECTIONS["cache"] = {"broker_url_env": "CACHE_URL"}
    with server.client() as own:
        yield own


@pytest.fixture
def key(client: redis.Redis) -> Iterator[str]:
    """A key that is there for one test."""
    name = f"k-{uuid.uuid4().hex}"
    yield name
    left = list(client.scan_iter(f"*{name}*"))
    if left:
        client.delete(*left)


@pytest.fixture
def cuttable(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, int, str], Relay]]:
    """Puts a relay between a connection and its broker."""
    opened = []

    def put(variable: str, port: int, url: str) -> Relay:
        stack = relaying(port)
        relay = stack.__enter__()
        opened.append(stack)
        monkeypatch.setenv(variable, url.replace(f":{port}", f":{relay.port}"))
        return relay

    yield put
    for stack in opened:
        stack.__exit__(None, None, None)


@pytest.fixture
def perform(attempt: Callable[..., ActivityContext]) -> Iterator[Callable[..., Any]]:
    """Performs an activity; every call is a step of its own unless a context is given."""
    numbers, contexts = itertools.count(1), list[ActivityContext]()

    def call(name: str, context: ActivityContext | None = None, **parameters: Any) -> Any:
        number = next(numbers)
        context = context or attempt(step=f"s{number}", idempotency_key=f"i-1:s{number}:0")
        contexts.append(context)
        return registry.get(name).perform(parameters, context)

    yield call
    for context in contexts:
        context.afterwards.settle(recorded=False)


@pytest.fixture
def refused(perform: Callable[..., Any]) -> Callable[..., ActivityError]:
    """The error of an activity that must fail."""

    def call(name: str, context: ActivityContext | None = None, **parameters: Any) -> ActivityError:
        with pytest.raises(ActivityError) as caught:
            perform(name, context, **parameters)
        return caught.value

    return call
