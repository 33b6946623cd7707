"""kombu's Redis transport with one client per channel: kombu makes a new one, and lets it go, for every message.

Messages are hints here. What a worker has fetched goes back when it ends; where Redis is gone by then, the database
sends it again, and no file is written of what could not go back.
"""

from __future__ import annotations

import logging
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis, virtual

log = logging.getLogger(__name__)


class Fetched(virtual.QoS):
    """The messages that a channel has fetched and that are not done."""

    def restore_unacked(self) -> Any:
        """Put them back; those that Redis does not take are left to the sweep."""
        refused: Any = super().restore_unacked()
        if refused:
            log.warning("%d message(s) could not go back to Redis: the sweep sends them again", len(refused))
        return []


class Channel(redis.Channel):
    """kombu's Redis channel, which keeps the client that it sends with."""

    _kept: Any = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if not self.ack_emulation:
            self.QoS = Fetched  # type: ignore[assignment]

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[misc]
        # A fork or a lost connection brings a new pool.
        if self._kept is None or self._kept.connection_pool is not self.pool:
            self._kept = super()._create_client()  # type: ignore[misc]
        return self._kept


class Transport(redis.Transport):
    """kombu's Redis transport with the channel above."""

    Channel = Channel


def register() -> None:
    """Let `redis://` and `rediss://` addresses mean this transport in this process."""
    TRANSPORT_ALIASES["redis"] = TRANSPORT_ALIASES["rediss"] = f"{__name__}:Transport"
