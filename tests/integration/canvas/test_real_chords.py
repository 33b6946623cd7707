"""Real Celery carries the canvases: it releases each chord once, also in chains and in chords, and nobody polls."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery

from tests.services import redis
from tests.services.processes import PATIENCE, REPOSITORY, Process, eventually

pytestmark = pytest.mark.redis

CHAIN = {"a": [], "b": ["a"], "c": ["b"]}
DIAMONDS = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "e": ["d"], "f": ["e"], "g": ["e"], "h": ["f", "g"]}
NESTED = {
    "a": [],
    "b": ["a"],
    "b1": ["b"],
    "b2": ["b"],
    "b3": ["b1", "b2"],
    "b4": ["b3"],
    "c": ["a"],
    "c1": ["c"],
    "d": ["b4", "c1"],
    "e": ["d"],
}
FORK_IN_A_PART = {"a": [], "b": [], "x": ["b"], "y": ["b"], "c": [], "z": ["x", "y", "c"], "last": ["z", "a"]}
CHORD_IN_A_FORK_IN_A_PART = {
    "r": [],
    "x": [],
    "s": ["x"],
    "t1": ["x"],
    "t2": ["x"],
    "t": ["t1", "t2"],
    "end": ["s", "t", "r"],
    "last": ["end"],
}
FORKS_IN_A_ROW = {"a": [], "b": [], "c": ["a", "b"], "d": ["a", "b"], "e": ["c", "d"], "f": ["c", "d"], "g": ["e", "f"]}
WIDE = {**{f"s{n}": [] for n in range(40)}, "join": [f"s{n}" for n in range(40)]}
CROSSED = {"a": [], "b": [], "c": ["a"], "d": ["a", "b"], "e": ["c", "d"]}


class Relay:
    """Two real workers; see ``relay``."""

    def __init__(self, server: redis.Redis) -> None:
        self.server = server
        self.client = server.client()
        self.app = Celery("test", broker=server.url, set_as_current=False)

    def run(self, needs: dict[str, list[str]], times: int = 1) -> dict[str, Any]:
        """Run a definition to its end.

        Returns:
            ``ran``: the steps in their order; ``planned``: how often a task had to send a plan of its own; ``refused``:
            how many steps were found claimed.
        """
        instance = str(uuid4())
        steps = [{"id": path, "activity": "core.echo", "needs": list(its)} for path, its in needs.items()]
        document = json.dumps({"workflow": "relay", "version": "1.0.0", "steps": steps})
        self.app.send_task("relay.start", (instance, document, times), queue="default")
        eventually(
            lambda: len(self.ran(instance)) >= len(needs), PATIENCE, lambda: f"all steps ran: {self.ran(instance)}"
        )
        self.wait_until_idle()
        return {
            "ran": self.ran(instance),
            "planned": int(self.client.get(f"{instance}:planned") or 0),
            "refused": int(self.client.get(f"{instance}:refused") or 0),
        }

    def ran(self, instance: str) -> list[str]:
        return [path.decode() for path in self.client.lrange(f"{instance}:ran", 0, -1)]

    def wait_until_idle(self) -> None:
        """Wait until no message is waiting or in the hands of a worker."""
        eventually(
            lambda: not self.client.llen("default") and not self.client.hlen("unacked"), PATIENCE, "the queue is empty"
        )


@pytest.fixture(scope="module", params=["as sent", "as rendered"])
def relay(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    folder = tmp_path_factory.mktemp("relay")
    with redis.running(folder) as server:
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": str(REPOSITORY),
            "ORCHESTRATOR_ENV": "test",
            "DJANGO_SETTINGS_MODULE": "orchestrator.settings.test",
            "ORCHESTRATOR_STATE_DIR": str(folder),
            "CELERY_BROKER_URL": server.url,
            "RELAY_SENDS": "canvas" if request.param == "as rendered" else "messages",
        }
        options = "worker -c 2 --pool prefork -n relay@localhost --loglevel INFO --without-gossip --without-mingle"
        command = [sys.executable, "-m", "celery", "-A", "tests.integration.canvas.relay", *options.split()]
        with Process("relay", command, environment=environment, log=folder / "relay.log") as worker:
            found = Relay(server)
            yield found
            # A chord that somebody polled for would be a task of Celery's own.
            assert "chord_unlock" not in worker.tail(10_000)


def in_order(ran: list[str], needs: dict[str, list[str]]) -> bool:
    place = {path: index for index, path in enumerate(ran)}
    return all(place[need] < place[path] for path, its in needs.items() for need in its)


@pytest.mark.parametrize(
    "needs",
    [
        pytest.param(CHAIN, id="chain"),
        pytest.param(DIAMONDS, id="chords in a chain"),
        pytest.param(NESTED, id="a chord in a part of a chord"),
        pytest.param(FORK_IN_A_PART, id="a fork in a part of a chord"),
        pytest.param(CHORD_IN_A_FORK_IN_A_PART, id="a chord in a fork in a part of a chord"),
        pytest.param(FORKS_IN_A_ROW, id="chords whose bodies are groups and chords"),
        pytest.param(WIDE, id="a wide group and its join"),
    ],
)
def test_celery_carries_a_canvas_to_its_end_and_runs_every_step_once(relay: Relay, needs: dict[str, list[str]]) -> None:
    found = relay.run(needs)

    assert sorted(found["ran"]) == sorted(needs)
    assert in_order(found["ran"], needs)
    assert found["planned"] == 0
    assert found["refused"] == 0


def test_where_joins_cross_the_database_counts_them_and_tasks_send_plans(relay: Relay) -> None:
    found = relay.run(CROSSED)

    assert sorted(found["ran"]) == sorted(CROSSED)
    assert in_order(found["ran"], CROSSED)
    assert found["planned"] > 0


@pytest.mark.parametrize("needs", [DIAMONDS, NESTED, WIDE], ids=["diamonds", "nested", "wide"])
def test_messages_that_go_out_three_times_run_nothing_twice_and_release_no_body_twice(
    relay: Relay, needs: dict[str, list[str]]
) -> None:
    found = relay.run(needs, times=3)

    roots = sum(not its for its in needs.values())
    assert sorted(found["ran"]) == sorted(needs)
    assert in_order(found["ran"], needs)
    assert found["refused"] == 2 * roots
