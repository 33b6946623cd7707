"""Messages over AMQP 0-9-1: mandatory and confirmed on the way out, unacknowledged until recorded on the way in."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import unquote

from amqp import exceptions
from django.conf import settings
from kombu import Connection, Producer
from kombu.exceptions import OperationalError

from tasks.activities.messages import bodies
from tasks.activities.messages.brokers import ANSWER_SECONDS, CONNECT_SECONDS, Broker
from workflows_app.activities import ActivityContext, ActivityError

POLL_SECONDS = 0.1
SETTLE_SECONDS = 2.0
"""How long an acknowledgement may hold the worker; the next step of its instance may wait for it already."""
_LOST = (OSError, exceptions.ConnectionError, OperationalError)
_TOO_LARGE = 406  # precondition failed; what RabbitMQ says to a body beyond its own limit


def connect(broker: Broker) -> Any:
    """An open connection with publisher confirms; not kombu's, which comes back by itself once it is lost.

    Raises:
        ActivityError: CONNECTION_FAILED.
    """
    parts = broker.parts
    connection = Connection(
        transport="pyamqp",
        hostname=parts.hostname or "",
        port=parts.port or (5671 if parts.scheme == "amqps" else 5672),
        userid=unquote(parts.username or "") or "guest",
        password=unquote(parts.password or "") or "guest",
        virtual_host=unquote(parts.path[1:]) or "/",
        ssl=_tls(parts.hostname) if parts.scheme == "amqps" else False,
        connect_timeout=CONNECT_SECONDS,
        heartbeat=0,
        transport_options={
            "confirm_publish": True,
            "read_timeout": ANSWER_SECONDS,
            "write_timeout": ANSWER_SECONDS,
        },
    )
    try:
        connection.ensure_connection(
            max_retries=1, interval_start=0, interval_step=0, interval_max=0, timeout=round(CONNECT_SECONDS)
        )
    except (*_LOST, exceptions.AMQPError) as error:
        raise broker.failed(error) from None
    return connection.connection


def publish(broker: Broker, *, exchange: str, routing_key: str, message: bodies.Outgoing) -> None:
    """Send one persistent message and wait for the broker's word that it has it.

    Raises:
        ActivityError: CONNECTION_FAILED, UNROUTABLE, MESSAGE_TOO_LARGE, BROKER_REFUSED; MESSAGE_NOT_CONFIRMED
            (effect unknown).
    """
    returned: list[Any] = []
    with _channel(broker, connect(broker)) as channel:
        producer = Producer(channel, auto_declare=False, on_return=lambda error, *_: returned.append(error))
        try:
            producer.publish(
                message.text,
                exchange=exchange,
                routing_key=routing_key,
                mandatory=True,
                delivery_mode=2,
                content_type="application/json",
                content_encoding="utf-8",
                headers=dict(message.headers),
                message_id=message.id,
                retry=False,
                confirm_timeout=ANSWER_SECONDS,
            )
        except exceptions.NotFound as error:
            raise _unroutable(broker, exchange, routing_key, broker.tell(error)) from None
        except exceptions.ChannelError as error:
            if getattr(error, "reply_code", 0) == _TOO_LARGE and "size" in broker.tell(error):
                raise bodies.too_large(len(message.text), bodies.max_bytes(), message.id) from None
            raise broker.refused(error) from None
        except (*_LOST, exceptions.AMQPError, exceptions.MessageNacked) as error:
            raise broker.unconfirmed(error) from None
    if returned:  # the broker returns a message before it confirms it
        raise _unroutable(broker, exchange, routing_key, "no queue is bound for it")


def receive(broker: Broker, *, queue: str, most: int, seconds: float, context: ActivityContext) -> list[dict[str, Any]]:
    """Take messages that stay unacknowledged until the attempt is recorded.

    Args:
        queue: name of the queue, which must exist.
        most: messages at most.
        seconds: how long to wait for the first one.

    Raises:
        ActivityError: CONNECTION_FAILED, QUEUE_NOT_FOUND, BROKER_REFUSED, MESSAGE_TOO_LARGE.
        AttemptCancelled: when told to stop; nothing stays taken.
    """
    held = Unacknowledged(connect(broker))
    context.afterwards.leave(held)
    ends = time.monotonic() + seconds
    room, found = bodies.Room(), list[dict[str, Any]]()
    try:
        channel = held.open()
        while len(found) < most:
            context.check()
            message = channel.basic_get(queue, no_ack=False)
            if message is None:
                if found or time.monotonic() >= ends:
                    break
                time.sleep(min(POLL_SECONDS, max(ends - time.monotonic(), 0)))
                continue
            entry, size = _read(message)
            if not room.takes(entry, size):
                channel.basic_reject(message.delivery_tag, requeue=True)
                break
            held.last = message.delivery_tag
            found.append(entry)
    except exceptions.NotFound as error:
        raise ActivityError(
            f"There is no queue {queue[:300]!r} on the broker of connection {broker.name!r}: {broker.tell(error)}",
            code="QUEUE_NOT_FOUND",
        ) from None
    except exceptions.ChannelError as error:
        raise broker.refused(error) from None
    except (*_LOST, exceptions.AMQPError) as error:
        raise broker.failed(error) from None
    return found


class Unacknowledged:
    """Messages on an open channel. Closing it, or dying, gives them back at once.

    Args:
        connection: an open connection that belongs to these messages alone.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._channel: Any = None
        self.last: int | None = None

    def open(self) -> Any:
        """The channel; its delivery tags count from 1, so that ``last`` stands for all before it."""
        self._channel = self._connection.channel()
        return self._channel

    def recorded(self) -> None:
        """Acknowledge all of them; that the channel's closing was answered means that the broker has read it."""
        try:
            if self.last is not None:
                _hurry(self._connection)
                self._channel.basic_ack(self.last, multiple=True)
                self._channel.close()
        finally:
            self.dropped()

    def dropped(self) -> None:
        """Let them go back into the queue."""
        _leave(self._connection)


def _hurry(connection: Any) -> None:
    if connection.connected:  # asked for its wire, one that is lost would come back
        connection.transport.sock.settimeout(SETTLE_SECONDS)


def _leave(connection: Any) -> None:
    """Say good-bye if the broker still listens, and close the socket whatever it says."""
    try:
        with suppress(*_LOST, exceptions.AMQPError, AttributeError):
            _hurry(connection)
            connection.close()
    finally:
        connection.collect()


@contextmanager
def _channel(broker: Broker, connection: Any) -> Iterator[Any]:
    try:
        try:
            channel = connection.channel()
        except (*_LOST, exceptions.AMQPError) as error:
            raise broker.failed(error) from None
        yield channel
    finally:
        _leave(connection)


def _read(message: Any) -> tuple[dict[str, Any], int]:
    raw = message.body.encode() if isinstance(message.body, str) else bytes(message.body)
    said = message.properties
    identity = said.get("message_id")
    return {
        "id": None if identity is None else bodies.plain(identity),
        "headers": bodies.plain(said.get("application_headers") or {}),
        **bodies.read(raw, said.get("content_type")),
    }, len(raw)


def _unroutable(broker: Broker, exchange: str, routing_key: str, reason: str) -> ActivityError:
    where = f"exchange {exchange[:200]!r} with routing key {routing_key[:200]!r}" if exchange else routing_key[:200]
    return ActivityError(
        f"No queue of connection {broker.name!r} takes what goes to {where}: {reason}.",
        code="UNROUTABLE",
        details={"exchange": exchange, "routing_key": routing_key},
    )


def _tls(host: str | None) -> dict[str, Any]:
    """The server's certificate is checked, name included; the client library alone would take any."""
    authorities = getattr(settings, "ORCHESTRATOR_HTTP_CA_FILE", None)
    return {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": host} | (
        {"ca_certs": str(authorities)} if authorities else {}
    )
