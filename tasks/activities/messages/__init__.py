"""``message.publish`` and ``message.receive``: queues of others, over AMQP and Redis, through named connections.

Nothing is lost on the way, and anything may come twice. A publish is confirmed, or fails and says that its effect is
unknown; every attempt of a step sends the same id. What a step receives is acknowledged after its result is committed
(``context.afterwards``), never before; if the worker dies in between, the broker hands it out again.

``brokers`` knows the connections, ``bodies`` what messages hold, ``amqp``, ``lists`` and ``streams`` one way each.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from tasks.activities.messages import amqp, bodies, brokers, lists, streams
from workflows_app.activities import ActivityContext, activity

MOST = 100
LONGEST_WAIT = 20.0
_LONGEST_NAME = 255
_MARGIN = 2.0  # seconds of the attempt that are left for the broker's answers
_NAME = {"type": "string", "minLength": 1, "maxLength": _LONGEST_NAME}
_KIND = {"enum": ["list", "stream", None], "description": "What the name means on Redis; default list."}
_CONNECTION = {"type": "string", "description": "Name of a connection with a broker's address."}


@activity(
    "message.publish",
    version="1.0.0",
    description="Sends a message to a queue, an exchange or a stream.",
    parameters={
        "type": "object",
        "required": ["connection", "to", "body"],
        "properties": {
            "connection": _CONNECTION,
            "to": {
                "description": "A queue, list or stream; on AMQP also an exchange with a routing key.",
                "anyOf": [
                    _NAME,
                    {
                        "type": "object",
                        "required": ["exchange"],
                        "properties": {
                            "exchange": _NAME,
                            "routing_key": {"type": "string", "maxLength": _LONGEST_NAME, "default": ""},
                        },
                        "additionalProperties": False,
                    },
                ],
            },
            "body": {"description": "Any JSON value."},
            "headers": {
                "type": ["object", "null"],
                "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
            },
            "message_id": {"type": ["string", "null"], "minLength": 1, "maxLength": _LONGEST_NAME},
            "kind": _KIND,
            "envelope": {
                "type": "boolean",
                "default": True,
                "description": "On a Redis list: whether id and headers go along, or the body alone.",
            },
        },
        "additionalProperties": False,
    },
    effects=True,
    category="integration",
)
def publish(
    *,
    connection: str,
    to: str | dict[str, str],
    body: Any,
    context: ActivityContext,
    headers: dict[str, Any] | None = None,
    message_id: str | None = None,
    kind: str | None = None,
    envelope: bool = True,
) -> dict[str, Any]:
    """Send the message and return ``{message_id, to}``.

    All attempts of a step send the same id, which is the idempotency key unless ``message_id`` names another, and the
    key itself in the header ``idempotency-key``.

    Raises:
        ActivityError: INVALID_PARAMETERS, UNKNOWN_CONNECTION, CONNECTION_INVALID, MESSAGE_TOO_LARGE, WRONG_KIND (not
            recoverable); CONNECTION_FAILED, UNROUTABLE, BROKER_REFUSED; MESSAGE_NOT_CONFIRMED (effect unknown).
    """
    broker = brokers.get(connection)
    for name in (*(headers or {}), message_id or ""):
        if len(name.encode()) > _LONGEST_NAME:
            brokers.refuse("headers", f"Names and ids have at most {_LONGEST_NAME} bytes.")
    message = bodies.outgoing(body, headers or {}, message_id, context.idempotency_key)
    if broker.kind == "amqp":
        _only_redis(kind=kind, envelope=None if envelope else False)
        exchange, key = ("", to) if isinstance(to, str) else (to["exchange"], to.get("routing_key", ""))
        for name in (exchange, key):
            _short("to", name)
        send = partial(amqp.publish, broker, exchange=exchange, routing_key=key, message=message)
        place = f"{exchange or '(default)'} {key}"
    elif not isinstance(to, str):
        brokers.refuse("to", "Redis knows no exchanges; name a list or a stream.")
    elif kind == "stream":
        _only_list(envelope)
        send, place = partial(streams.publish, broker, key=to, message=message), to
    else:
        send, place = partial(lists.publish, broker, key=to, message=message, envelope=envelope), to
    context.check()
    with context.effects.planned("message.publish", f"{connection}: {place}") as effect:
        effect.facts["message_id"] = message.id
        send()
    return {"message_id": message.id, "to": to}


@activity(
    "message.receive",
    version="1.0.0",
    description="Takes messages from a queue, a list or a stream.",
    parameters={
        "type": "object",
        "required": ["connection", "from"],
        "properties": {
            "connection": _CONNECTION,
            "from": _NAME | {"description": "A queue, list or stream."},
            "max_messages": {"type": "integer", "minimum": 1, "maximum": MOST, "default": 1},
            "wait": {
                "type": "number",
                "minimum": 0,
                "maximum": LONGEST_WAIT,
                "default": 0,
                "description": "Seconds to wait for the first message; a worker is held meanwhile.",
            },
            "kind": _KIND,
            "group": {"type": ["string", "null"], "minLength": 1, "description": "The stream's consumer group."},
        },
        "additionalProperties": False,
    },
    effects=True,
    category="integration",
)
def receive(
    *,
    connection: str,
    context: ActivityContext,
    max_messages: int = 1,
    wait: float = 0,
    kind: str | None = None,
    group: str | None = None,
    **names: str,
) -> dict[str, Any]:
    """Take messages and return ``{messages: [{id, body, encoding, headers}], count}``; an empty queue is a count of 0.

    They are acknowledged after the step's result is committed, at least once each.

    Args:
        names: ``from``, which Python keeps for itself.

    Raises:
        ActivityError: INVALID_PARAMETERS, UNKNOWN_CONNECTION, CONNECTION_INVALID, MESSAGE_TOO_LARGE, WRONG_KIND (not
            recoverable); CONNECTION_FAILED, QUEUE_NOT_FOUND, BROKER_REFUSED.
        AttemptCancelled: when told to stop.
    """
    broker, source = brokers.get(connection), names["from"]
    if context.deadline_seconds is not None:
        wait = min(wait, max(context.deadline_seconds - _MARGIN, 0))
    if broker.kind == "amqp":
        _only_redis(kind=kind, group=group)
        _short("from", source)
        found = amqp.receive(broker, queue=source, most=max_messages, seconds=wait, context=context)
    elif kind == "stream":
        found = streams.receive(
            broker,
            key=source,
            group=group or streams.DEFAULT_GROUP,
            most=max_messages,
            seconds=wait,
            context=context,
        )
    else:
        if group is not None:
            brokers.refuse("group", "Only streams have groups; say kind: stream.")
        found = lists.receive(broker, key=source, most=max_messages, seconds=wait, context=context)
    return {"messages": found, "count": len(found)}


def _only_redis(**given: Any) -> None:
    for name, value in given.items():
        if value is not None:
            brokers.refuse(name, "Only connections to Redis know this.")


def _only_list(envelope: bool) -> None:
    if not envelope:
        brokers.refuse("envelope", "A stream's entries have fields of their own.")


def _short(parameter: str, name: str) -> None:
    if len(name.encode()) > _LONGEST_NAME:
        brokers.refuse(parameter, f"A name has at most {_LONGEST_NAME} bytes.")
