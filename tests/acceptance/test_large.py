"""Large workflows end like small ones: a long chain, a wide block; no message grows with them."""

from __future__ import annotations

import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults import invariants
from tests.faults.lanes import NO_TIME_LIMIT
from tests.services.documents import workflow
from tests.services.processes import PATIENCE

MESSAGE_BYTES = 64_000
PUSHED = re.compile(rb'"LPUSH" "default" (.*)')

pytestmark = [
    pytest.mark.redis,
    # A message for each step takes longer; its sizes show as well with fewer steps.
    pytest.mark.parametrize(("apart", "steps"), [("redis", 500), ("redis separate", 250)], indirect=["apart"]),
]


class Monitor:
    """Measures what is put into the queue of a private Redis, as Redis itself reports it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.sizes: list[int] = []
        self.socket.sendall(b"MONITOR\r\n")
        self.lines = self.socket.makefile("rb")
        assert self.lines.readline() == b"+OK\r\n"
        self.thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Monitor:
        self.thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.lines.close()
        self.socket.close()

    def _read(self) -> None:
        for line in self.lines:
            found = PUSHED.search(line)
            if found:
                self.sizes.append(len(found[1]))


@pytest.fixture
def monitor(apart: Any) -> Iterator[Monitor]:
    with Monitor(apart.broker.port) as monitor:
        yield monitor


def echo(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "activity": "core.echo", "with": {"name": name}, **more}


def test_a_long_chain_completes_in_messages_of_bounded_size(apart, steps, monitor):
    apart.publish(workflow("long", *[echo(f"step_number_{number}") for number in range(steps)]))
    apart.worker(ORCHESTRATOR_TEST_BUDGET=NO_TIME_LIMIT)
    instance = apart.begin("long")
    view = apart.ended(instance)

    assert view["state"] == "completed"
    assert Counter(apart.attempts(instance).values()) == {1: steps}
    assert 0 < max(monitor.sizes) < MESSAGE_BYTES
    assert (len(apart.delivered(instance)) < steps / 4) == apart.fuses
    invariants.check(apart, [instance])


def test_a_wide_block_joins_once(apart, steps, monitor):
    branches = {f"branch_{number}": [echo(f"step_number_{number}")] for number in range(steps)}
    block = {"id": "block", "parallel": {"branches": branches}}
    apart.publish(workflow("wide", echo("before"), block, echo("join"), echo("after")))
    apart.worker()
    instance = apart.begin("wide")
    view = apart.ended(instance)

    assert view["state"] == "completed"
    assert Counter(apart.attempts(instance).values()) == {1: steps + 3}
    starts = [event["step"] for event in apart.history(instance) if event["type"] == "step.started"]
    assert starts[-2:] == ["join", "after"]
    assert 0 < max(monitor.sizes) < MESSAGE_BYTES
    joins = Counter(message["step"] for message in apart.delivered(instance))["join"]
    # A fused run whose time was spent when it settled the join sends it: once at most, as without fusion.
    assert joins <= 1 if apart.fuses else joins == 1
    invariants.check(apart, [instance])


def test_a_foreach_over_many_items_joins_once(apart, steps, monitor):
    body = [
        echo("first", **{"with": {"n": "${ item }"}}),
        {**echo("second"), "with": {"n": "${ steps.first.output.n }"}},
    ]
    block = {"id": "block", "foreach": {"items": "input.items", "collect": "${ steps.second.output.n }", "steps": body}}
    apart.publish(workflow("each", block, echo("after"), output="${ steps.block.output }"))
    apart.worker()
    instance = apart.begin("each", {"items": list(range(steps // 2))})
    view = apart.ended(instance)

    assert view["state"] == "completed"
    assert view["output"] == list(range(steps // 2)), "in the order of the items, whatever the order of their ends"
    assert Counter(apart.attempts(instance).values()) == {1: steps // 2 * 2 + 1}
    joined = Counter((event["type"], event["step"]) for event in apart.history(instance))
    assert (joined["step.completed", "block"], joined["step.scheduled", "after"]) == (1, 1)
    assert 0 < max(monitor.sizes) < MESSAGE_BYTES
    invariants.check(apart, [instance])
