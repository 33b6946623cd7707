"""A client for one activity: one try for each command, and the broker's errors under the product's codes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from tasks.activities.messages.brokers import ANSWER_SECONDS, CONNECT_SECONDS, Broker
from workflows_app.engine.errors import ActivityError

NOW = "local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000) "
"""Lua: ``now`` in milliseconds by the server's clock, the only one that all workers share."""


@contextmanager
def session(broker: Broker, *, sends: bool = False) -> Iterator[redis.Redis]:
    """A client that has reached its server.

    Args:
        sends: whether a command that loses its answer leaves it open whether a message went out.

    Raises:
        ActivityError: CONNECTION_FAILED, WRONG_KIND, BROKER_REFUSED; MESSAGE_NOT_CONFIRMED (effect unknown) with
            ``sends``.
    """
    try:
        client = redis.Redis.from_url(
            broker.url,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            # The library's own repetition would send a message twice and say nothing of it.
            retry=Retry(NoBackoff(), 0),
            **_authorities(broker),
        )
    except (ValueError, TypeError):
        raise ActivityError(
            f"Connection {broker.name!r} is not usable for messages: its address cannot be read.",
            code="CONNECTION_INVALID",
            recoverable=False,
        ) from None
    with client:
        try:
            client.ping()
        except (redis.RedisError, OSError) as error:
            raise broker.failed(error) from None
        try:
            yield client
        except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
            raise (broker.unconfirmed if sends else broker.failed)(error) from None
        except redis.RedisError as error:
            raise _refused(broker, error) from None


def _refused(broker: Broker, error: redis.RedisError) -> ActivityError:
    if "WRONGTYPE" in str(error):
        return ActivityError(
            f"The key of connection {broker.name!r} is of another kind: {broker.tell(error)}",
            code="WRONG_KIND",
            recoverable=False,
        )
    return broker.refused(error)


def _authorities(broker: Broker) -> dict[str, Any]:
    extra = getattr(settings, "ORCHESTRATOR_HTTP_CA_FILE", None)
    return {"ssl_ca_certs": str(extra)} if extra and broker.parts.scheme == "rediss" else {}
