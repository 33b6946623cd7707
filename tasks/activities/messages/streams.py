"""Messages in Redis streams: entries of a consumer group, pending under the step's name until it is recorded.

The group's own bookkeeping holds what was taken. A step's second attempt reads its pending entries again; what stays
pending for ``HOLD_SECONDS`` is claimed by the next receiver of the group.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import redis

from tasks.activities.messages import bodies, holder, redis_client
from tasks.activities.messages.brokers import Broker
from workflows_app.activities import ActivityContext, ActivityError

DEFAULT_GROUP = "orchestrator"
POLL_SECONDS = 0.1
_FIELDS = {b"id", b"headers", b"body"}

# A consumer is forgotten only without anything pending: its entries would be forgotten with it.
_SETTLE = """
if #ARGV > 2 then redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, 3)) end
if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) == 0 then
  redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
end
return 1
"""


def publish(broker: Broker, *, key: str, message: bodies.Outgoing) -> None:
    """Add one entry with the fields ``id``, ``headers`` and ``body``, the latter two as JSON text.

    Raises:
        ActivityError: CONNECTION_FAILED, WRONG_KIND, BROKER_REFUSED; MESSAGE_NOT_CONFIRMED (effect unknown).
    """
    headers = json.dumps(dict(message.headers), ensure_ascii=False, separators=(",", ":"))
    with redis_client.session(broker, sends=True) as client:
        client.xadd(key, {"id": message.id, "headers": headers, "body": message.text})


def receive(
    broker: Broker, *, key: str, group: str, most: int, seconds: float, context: ActivityContext
) -> list[dict[str, Any]]:
    """Take entries for the step, or find those that an earlier attempt took.

    Args:
        key: the stream, which must exist.
        group: the consumer group; made if it is not there, and then it gets the stream from its beginning.
        most: entries at most.
        seconds: how long to wait for the first one.

    Raises:
        ActivityError: CONNECTION_FAILED, QUEUE_NOT_FOUND, WRONG_KIND, BROKER_REFUSED, MESSAGE_TOO_LARGE.
        AttemptCancelled: when told to stop.
    """
    pending = Pending(broker=broker, key=key, group=group, consumer=f"orchestrator-{holder.of(context).step}")
    ends = time.monotonic() + seconds
    room, found = bodies.Room(), list[dict[str, Any]]()
    with redis_client.session(broker) as client:
        _join(client, broker, key, group)
        context.afterwards.leave(pending)
        position: bytes | str | None = "0"  # first what is pending for this step
        while len(found) < most:
            context.check()
            entry = pending.again(client, position) if position is not None else pending.take(client)
            if entry is None and position is not None:
                if found:
                    break  # the same messages again, and no others
                position = None
                continue
            if entry is None:
                if found or time.monotonic() >= ends:
                    break
                time.sleep(min(POLL_SECONDS, max(ends - time.monotonic(), 0)))
                continue
            identity, fields = entry
            position = identity if position is not None else None
            shown = _read(identity, fields)
            if not room.takes(shown, sum(map(len, fields.values()))):
                break
            pending.taken.append(identity)
            found.append(shown)
    return found


@dataclass(slots=True, kw_only=True)
class Pending:
    """The entries that are pending for a step.

    Args:
        broker: whose they are.
        key: the stream.
        group: the consumer group.
        consumer: the step's name in it.
        taken: ids of the entries that the result holds.
        swept: how far this receive has looked for what others left behind; from the beginning again after the end.
    """

    broker: Broker
    key: str
    group: str
    consumer: str
    taken: list[bytes] = field(default_factory=list)
    swept: bytes = b"0-0"

    def again(self, client: Any, after: bytes | str) -> tuple[bytes, Mapping[bytes, bytes]] | None:
        """The next entry that an earlier attempt took; one that was deleted from the stream is acknowledged."""
        while True:
            entry = _first(client.xreadgroup(self.group, self.consumer, {self.key: after}, count=1))
            if entry is None or entry[1]:
                return entry
            client.xack(self.key, self.group, entry[0])
            after = entry[0]

    def take(self, client: Any) -> tuple[bytes, Mapping[bytes, bytes]] | None:
        """What others left behind, else the next new entry."""
        idle = round(holder.HOLD_SECONDS * 1000)
        if not self.taken or self.swept != b"0-0":
            self.swept, claimed, *_ = client.xautoclaim(
                self.key, self.group, self.consumer, min_idle_time=idle, start_id=self.swept, count=1
            )
            for identity, fields in claimed:
                if fields:  # Redis before 7 claims what was deleted, too
                    return identity, fields
        return _first(client.xreadgroup(self.group, self.consumer, {self.key: ">"}, count=1))

    def recorded(self) -> None:
        """Acknowledge what the result holds."""
        with redis_client.session(self.broker) as client:
            client.eval(_SETTLE, 1, self.key, self.group, self.consumer, *self.taken)

    def dropped(self) -> None:
        """Streams know no giving back: entries stay pending, for another attempt or the next receiver."""


def _join(client: Any, broker: Broker, key: str, group: str) -> None:
    if not client.exists(key):
        raise ActivityError(
            f"There is no stream {key[:300]!r} on the broker of connection {broker.name!r}.", code="QUEUE_NOT_FOUND"
        )
    try:
        client.xgroup_create(key, group, id="0")
    except redis.ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise


def _first(answer: Any) -> tuple[bytes, Mapping[bytes, bytes]] | None:
    streams = list(answer.values()) if isinstance(answer, dict) else [entries for _, entries in answer or ()]
    entries = [entry for batch in streams for entry in batch]
    return (entries[0][0], entries[0][1] or {}) if entries else None


def _read(identity: bytes, fields: Mapping[bytes, bytes]) -> dict[str, Any]:
    if set(fields) == _FIELDS:
        headers = bodies.read(fields[b"headers"])["body"]
        if isinstance(headers, dict):
            return {"id": str(bodies.plain(fields[b"id"])), "headers": headers, **bodies.read(fields[b"body"])}
    shown = {str(bodies.plain(name)): bodies.plain(value) for name, value in fields.items()}
    return {"id": identity.decode(), "headers": {}, "body": shown, "encoding": "json"}
