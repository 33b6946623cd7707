"""The broker that needs no server: kombu's file transport, with a folder per queue and messages that appear whole.

kombu's own transport keeps every queue in one folder, which it lists anew for every message, and a reader may meet
a file that is still being written. Here a message is written aside and renamed into its queue, claimed by renaming
it out again, and an idle poll costs one `stat`. Whatever a crash leaves behind, the database sends again.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import os
import shutil
import time
import uuid
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any, ClassVar, Final
from urllib.parse import quote

from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.transport.virtual import BrokerState
from kombu.utils.encoding import bytes_to_str, str_to_bytes
from kombu.utils.json import dumps, loads

log = logging.getLogger(__name__)

# File systems stamp a folder with the kernel's tick; a younger stamp may hide a file that came after the listing.
SETTLED_NANOSECONDS: Final = 50_000_000
LONGEST_WAIT: Final = 0.25
# kombu warns at every connection of an address without a host.
URL: Final = "filesystem://localhost/"


def is_settled(stamp: int) -> bool:
    """Whether a folder's time of change (nanoseconds) is old enough to tell a later change from this one."""
    return time.time_ns() - stamp > SETTLED_NANOSECONDS


class Mailbox:
    """One reader's view of one queue's folder.

    Args:
        folder: the queue's folder; need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: deque[str] = deque()
        self._stamp = -1

    def names(self) -> Iterator[str]:
        """File names of waiting messages, oldest first, at most one listing's worth."""
        if not self._seen:
            try:
                stamp = os.stat(self.folder).st_mtime_ns
            except FileNotFoundError:
                return
            if stamp == self._stamp:
                return
            self._seen.extend(sorted(name for name in os.listdir(self.folder) if name.endswith(".msg")))
            self._stamp = stamp if is_settled(stamp) else -1
        while self._seen:
            yield self._seen.popleft()


class Channel(filesystem.Channel):
    """kombu's file channel over a folder per queue."""

    _counter = itertools.count()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._mailboxes: dict[str, Mailbox] = {}
        self._tables: dict[str, tuple[int, list[Any]]] = {}
        super().__init__(*args, **kwargs)

    def _folder(self, queue: str) -> Path:
        return Path(self.data_folder_in) / quote(queue, safe="@.-_").replace("..", "%2E%2E")

    def _new_queue(self, queue: str, **kwargs: Any) -> None:
        self._folder(queue).mkdir(parents=True, exist_ok=True)

    def _has_queue(self, queue: str, **kwargs: Any) -> bool:
        return self._folder(queue).is_dir()

    def _put(self, queue: str, message: Any, **kwargs: Any) -> None:  # type: ignore[override]
        folder = self._folder(queue)
        # The counter orders one process's messages within a tick of the clock.
        name = f"{time.time_ns():020d}-{next(self._counter):010d}-{uuid.uuid4().hex}"
        body = str_to_bytes(dumps(message))
        try:
            self._write(folder, name, body)
        except FileNotFoundError:
            self._new_queue(queue)
            self._write(folder, name, body)

    def _write(self, folder: Path, name: str, body: bytes) -> None:
        draft = folder / f"{name}.draft"
        draft.write_bytes(body)
        draft.rename(folder / f"{name}.msg")

    def _put_fanout(self, exchange: str, payload: Any, routing_key: str, **kwargs: Any) -> None:
        for bound in self.get_table(exchange):
            # A listener whose folder is gone has ended: nothing is kept for it.
            if self._has_queue(bound.queue):
                self._put(bound.queue, payload, **kwargs)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        mailbox = self._mailboxes.setdefault(queue, Mailbox(self._folder(queue)))
        for name in mailbox.names():
            path = mailbox.folder / name
            claimed = path.with_suffix(".claimed")
            try:
                path.rename(claimed)
            except FileNotFoundError:
                continue  # another reader was first
            body = claimed.read_bytes()
            claimed.unlink()
            try:
                message = loads(bytes_to_str(body))
                message["body"], message["properties"]["delivery_tag"], message["properties"]["delivery_info"]
            except (ValueError, KeyError, TypeError) as problem:
                log.warning("a file that is no message was removed from %s: %r", quote(queue), problem)
                continue
            return message
        raise Empty

    def _delete(self, queue: str, exchange: str, routing_key: str, pattern: str, *args: Any, **kwargs: Any) -> None:
        self._binding(exchange, routing_key, pattern, queue).unlink(missing_ok=True)
        self._purge(queue)

    # -- which queues an exchange feeds: a file for each binding, as a shared table loses what two write at once
    def _exchange_folder(self, exchange: str) -> Path:
        if not self._is_valid_exchange_name(exchange):  # type: ignore[attr-defined]
            raise ChannelError(f"Invalid exchange name: {exchange!r}")
        return Path(self.control_folder) / f"{exchange}.exchange"

    def _binding(self, exchange: str, routing_key: str | None, pattern: str | None, queue: str | None) -> Path:
        content = json.dumps([routing_key or "", pattern or "", queue or ""])
        return self._exchange_folder(exchange) / f"{hashlib.sha256(content.encode()).hexdigest()}.json"

    def _queue_bind(self, exchange: str, routing_key: str | None, pattern: str | None, queue: str | None) -> None:
        path = self._binding(exchange, routing_key, pattern, queue)
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{uuid.uuid4().hex}")
        draft.write_text(json.dumps([routing_key or "", pattern or "", queue or ""]))
        draft.rename(path)

    def get_table(self, exchange: str) -> list[Any]:
        """Bindings of ``exchange``, read again when its folder changed."""
        folder = self._exchange_folder(exchange)
        try:
            stamp = os.stat(folder).st_mtime_ns
        except FileNotFoundError:
            return []
        known = self._tables.get(exchange)
        if known is not None and known[0] == stamp:
            return known[1]
        table = []
        for path in sorted(folder.glob("*.json")):
            try:
                table.append(filesystem.exchange_queue_t(*json.loads(path.read_text())))
            except FileNotFoundError:
                continue  # unbound meanwhile
        self._tables[exchange] = (stamp if is_settled(stamp) else -1, table)
        return table

    def _purge(self, queue: str) -> int:
        removed = 0
        for name in self._messages(queue):
            try:
                (self._folder(queue) / name).unlink()
                removed += 1
            except FileNotFoundError:
                continue
        return removed

    def _size(self, queue: str) -> int:
        return len(self._messages(queue))

    def _messages(self, queue: str) -> list[str]:
        try:
            return [name for name in os.listdir(self._folder(queue)) if name.endswith(".msg")]
        except FileNotFoundError:
            return []


class Transport(filesystem.Transport):
    """kombu's file transport with the channel above."""

    Channel = Channel
    # kombu remembers what was declared for the whole process, as if there were one set of folders only.
    _states: ClassVar[dict[str, BrokerState]] = {}

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        folder = str(client.transport_options.get("data_folder_in"))
        self.state = self._states.setdefault(folder, BrokerState())

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:  # type: ignore[override]
        """Wait for a message, ``LONGEST_WAIT`` seconds at most: a worker looks only in between whether it shall end.

        Raises:
            TimeoutError: none came.
        """
        super().drain_events(connection, timeout=min(timeout, LONGEST_WAIT) if timeout else timeout)


def register() -> None:
    """Let `filesystem://` addresses mean this transport in this process."""
    TRANSPORT_ALIASES["filesystem"] = f"{__name__}:Transport"


def empty(broker_dir: Path) -> None:
    """Remove every message and binding: at the start of an installation nobody consumes, and the database refills it.

    Args:
        broker_dir: folder that holds `messages` and `control`; anything else in it stays.
    """
    for part in ("messages", "control"):
        shutil.rmtree(broker_dir / part, ignore_errors=True)
        (broker_dir / part).mkdir(parents=True, exist_ok=True)


def forget_queues(broker_dir: Path, prefix: str) -> None:
    """Remove the queues whose names start with ``prefix``: their reader has ended and will never come back."""
    for folder in (broker_dir / "messages").glob(f"{prefix}*"):
        shutil.rmtree(folder, ignore_errors=True)
