"""The messages in a broker, seen and copied by a stranger that knows only their wire form."""

from __future__ import annotations

from typing import Any

from kombu import Connection, Producer, Queue
from kombu.exceptions import ChannelError

from tests.services.processes import PATIENCE, eventually


class Messages:
    """What waits in the queues of one broker.

    Args:
        url: address of a Redis or RabbitMQ.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def multiply(self, queue: str, copies: int) -> None:
        """Take the first message of a queue and put back so many copies of it, byte by byte the same."""
        # Unconfirmed messages that a quorum queue has not stored yet are gone when their channel closes.
        options = {"confirm_publish": True} if self.url.startswith("amqp") else {}
        with Connection(self.url, transport_options=options) as connection:
            bound = Queue(queue)(connection.default_channel)
            message = eventually(bound.get, PATIENCE, f"a message waits in {queue}")
            producer = Producer(connection.default_channel, auto_declare=False)
            properties = {
                name: message.properties[name]
                for name in ("correlation_id", "reply_to", "delivery_mode", "priority")
                if message.properties.get(name) is not None
            }
            message.ack()
            for _ in range(copies):
                producer.publish(
                    message.body,
                    exchange="",
                    routing_key=queue,
                    headers=dict(message.headers),
                    content_type=message.content_type,
                    content_encoding=message.content_encoding,
                    **properties,
                )

    def put(self, queue: str, body: bytes, *, content_type: str = "application/json", **headers: Any) -> None:
        """Put one message of one's own making into a queue."""
        with Connection(self.url) as connection:
            Producer(connection.default_channel, auto_declare=False).publish(
                body,
                exchange="",
                routing_key=queue,
                headers=headers,
                content_type=content_type,
                content_encoding="utf-8",
            )

    def waiting(self, queue: str) -> int:
        """How many messages no worker has taken yet; Redis knows no empty queue, so an unknown one is empty."""
        with Connection(self.url) as connection:
            try:
                return int(Queue(queue)(connection.default_channel).queue_declare(passive=True).message_count)
            except ChannelError:
                return 0
