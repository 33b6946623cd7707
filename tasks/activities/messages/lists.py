"""Messages in Redis lists: pushed on the left, taken from the right into a list that the step holds.

Every change of hands is one script, so that no message is ever in two lists or in none. A step's second attempt finds
what the first one took. What nobody settled within ``HOLD_SECONDS`` goes back into the list with the next receive.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from tasks.activities.messages import bodies, holder, redis_client
from tasks.activities.messages.brokers import Broker
from tasks.activities.messages.holder import Holder
from workflows_app.activities import ActivityContext

POLL_SECONDS = 0.1
_ENVELOPE = {"id", "headers", "body"}

# KEYS: queue, held, register of deadlines, register of owners.
_TAKE = (
    redis_client.NOW
    + """
if redis.call('EXISTS', KEYS[2]) == 0 then
  local room = tonumber(ARGV[2])
  for n = 1, tonumber(ARGV[1]) do
    local message = redis.call('LINDEX', KEYS[1], -1)
    if not message then break end
    if #message > room then
      if n == 1 then return {tostring(#message)} end
      break
    end
    room = room - #message
    redis.call('LMOVE', KEYS[1], KEYS[2], 'RIGHT', 'LEFT')
  end
end
local taken = redis.call('LRANGE', KEYS[2], 0, -1)
if #taken > 0 then
  redis.call('ZADD', KEYS[3], now + tonumber(ARGV[3]), KEYS[2])
  redis.call('HSET', KEYS[4], KEYS[2], ARGV[4])
end
return {false, taken}
"""
)
# ARGV: the owner or '' for whoever it is once the deadline has passed, how many of the newest (-1: all).
_GIVE_BACK = (
    redis_client.NOW
    + """
if ARGV[1] == '' then
  local deadline = redis.call('ZSCORE', KEYS[3], KEYS[2])
  if not deadline or tonumber(deadline) > now then return 0 end
elseif redis.call('HGET', KEYS[4], KEYS[2]) ~= ARGV[1] then
  return 0
end
local moved, most = 0, tonumber(ARGV[2])
while (most < 0 or moved < most) and redis.call('LMOVE', KEYS[2], KEYS[1], 'LEFT', 'RIGHT') do moved = moved + 1 end
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('ZREM', KEYS[3], KEYS[2])
  redis.call('HDEL', KEYS[4], KEYS[2])
end
return moved
"""
)
_SETTLE = """
if redis.call('HGET', KEYS[4], KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
redis.call('ZREM', KEYS[3], KEYS[2])
return redis.call('HDEL', KEYS[4], KEYS[2])
"""


def publish(broker: Broker, *, key: str, message: bodies.Outgoing, envelope: bool) -> None:
    """Push one message.

    Args:
        envelope: whether id and headers go along, as ``{"id", "headers", "body"}``; else the body stands alone.

    Raises:
        ActivityError: CONNECTION_FAILED, WRONG_KIND, BROKER_REFUSED; MESSAGE_NOT_CONFIRMED (effect unknown).
    """
    wrapped = {"id": message.id, "headers": dict(message.headers), "body": message.body}
    text = json.dumps(wrapped, ensure_ascii=False, separators=(",", ":")).encode() if envelope else message.text
    with redis_client.session(broker, sends=True) as client:
        client.lpush(key, text)


def receive(broker: Broker, *, key: str, most: int, seconds: float, context: ActivityContext) -> list[dict[str, Any]]:
    """Take messages into the step's own list, or find there what an earlier attempt took.

    Args:
        key: the list; one that is not there is empty.
        most: messages at most.
        seconds: how long to wait for the first one.

    Raises:
        ActivityError: CONNECTION_FAILED, WRONG_KIND, BROKER_REFUSED, MESSAGE_TOO_LARGE.
        AttemptCancelled: when told to stop; nothing stays taken.
    """
    held = Held(broker=broker, key=key, holder=holder.of(context))
    ends = time.monotonic() + seconds
    room = bodies.Room()
    with redis_client.session(broker) as client:
        context.afterwards.leave(held)
        held.give_back_expired(client)
        while True:
            context.check()
            too_large, *rest = held.run(
                client, _TAKE, most, min(room.limit, bodies.max_bytes()), round(holder.HOLD_SECONDS * 1000),
                held.holder.attempt,
            )  # fmt: skip
            if too_large is not None:
                raise bodies.too_large(int(too_large), min(room.limit, bodies.max_bytes()), None)
            taken = rest[0][::-1]
            if taken or time.monotonic() >= ends:
                break
            time.sleep(min(POLL_SECONDS, max(ends - time.monotonic(), 0)))
        found: list[dict[str, Any]] = []
        for raw in taken:
            entry = _read(raw)
            if not room.takes(entry, len(raw)):
                held.run(client, _GIVE_BACK, held.holder.attempt, len(taken) - len(found))
                break
            found.append(entry)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The list in which a step holds what it took.

    Args:
        broker: whose it is.
        key: the list that they came from.
        holder: the attempt.
    """

    broker: Broker
    key: str
    holder: Holder

    def run(self, client: Any, script: str, *arguments: Any, held: str | None = None) -> Any:
        """Run one of the scripts on the four keys."""
        register = f"orchestrator:held:{self.key}"
        keys = (self.key, held or f"{register}:{self.holder.step}", register, f"orchestrator:owners:{self.key}")
        return client.eval(script, len(keys), *keys, *arguments)

    def give_back_expired(self, client: Any) -> None:
        """Put back what other steps took and nobody settled in time."""
        seconds, micros = client.time()
        due = client.zrangebyscore(
            f"orchestrator:held:{self.key}", 0, seconds * 1000 + micros // 1000, start=0, num=100
        )
        for held in due:
            self.run(client, _GIVE_BACK, "", -1, held=held.decode())

    def recorded(self) -> None:
        """Forget the messages; they are in the step's result."""
        with redis_client.session(self.broker) as client:
            self.run(client, _SETTLE, self.holder.attempt)

    def dropped(self) -> None:
        """Put them back where they were, unless another attempt has them now."""
        with redis_client.session(self.broker) as client:
            self.run(client, _GIVE_BACK, self.holder.attempt, -1)


def _read(raw: bytes) -> dict[str, Any]:
    found = bodies.read(raw)
    wrapped = found["body"]
    is_ours = found["encoding"] == "json" and isinstance(wrapped, dict) and set(wrapped) == _ENVELOPE
    if is_ours and isinstance(wrapped["id"], str) and isinstance(wrapped["headers"], dict):
        return {"id": wrapped["id"], "headers": wrapped["headers"], "body": wrapped["body"], "encoding": "json"}
    return {"id": None, "headers": {}, **found}
