"""The client of the yardstick: starts canvases, waits for their results, sees that they are there."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from celery.backends.redis import RedisBackend
from celery.result import AsyncResult

from tests.benchmarks import payload, plain
from tests.benchmarks.workloads import Shape

LOOK_SECONDS: Final = 0.003
"""Between two looks of a client, on both sides."""


class Yardstick:
    """Plain Celery, seen from its client."""

    name: Final = "plain"

    def __init__(self) -> None:
        self._records = payload.records()

    def prepare(self, shape: Shape, size: int) -> None:
        """Nothing to do: a canvas is made on every start."""

    def start(self, shape: Shape, size: int) -> AsyncResult[Any]:
        """Start one canvas; its last result."""
        match shape:
            case Shape.CHAIN:
                return plain.steps(size)
            case Shape.FAN | Shape.BLOCK:
                return plain.fan(size)
            case Shape.RELAY:
                return plain.relay(size, self._records)
            case Shape.REVISION:
                return plain.revision(size, self._records)
            case Shape.SINGLE:
                return plain.single()

    def wait(self, started: Sequence[AsyncResult[Any]], deadline: float) -> None:
        """Wait until all ended, ``deadline`` seconds at most.

        One is waited for with ``get``, as anybody would. For many, looking now and then costs the client less than
        being told of each, which makes the yardstick stronger, and is what the other side's client does. Results that
        come as messages (``rpc``) can only be got.

        Raises:
            TimeoutError: they did not.
        """
        end = time.monotonic() + deadline
        if len(started) == 1 or not isinstance(plain.app.backend, RedisBackend):
            for result in started:
                result.get(timeout=max(0.1, end - time.monotonic()))
            return
        for result in started:
            while not result.ready():
                if time.monotonic() > end:
                    raise TimeoutError(f"plain Celery did not end within {deadline:g} s")
                time.sleep(LOOK_SECONDS)

    def verify(self, shape: Shape, size: int, started: Sequence[AsyncResult[Any]]) -> None:
        """Read every result, which raises what its task raised, and forget what the client subscribed to.

        Raises:
            AssertionError: a result is not what the steps return.
        """
        revised = payload.changed(self._records, times=size)
        expected = {Shape.RELAY: self._records, Shape.REVISION: revised}.get(shape, {})
        for result in started:
            found = result.get(timeout=10)
            assert found == expected, f"plain Celery returned {str(found)[:80]!r}"
        self.forget()

    def forget(self) -> None:
        """Drop the subscriptions of this client: their unread messages would fill the connection in the long run."""
        if isinstance(plain.app.backend, RedisBackend):
            plain.app.backend.result_consumer.stop()

    def purge(self) -> None:
        """Throw away what was started and nobody took."""
        plain.app.control.purge()
        self.forget()
