"""Which installation a fault meets: its broker, how its messages travel, how soon it takes lost work over.

Named by the parameter of the ``product`` fixture: a broker (``redis``), or a broker and a kind (``redis chords``).
"""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.services.fixtures import Services
from tests.services.product import Product
from workflows_app.engine.states import INSTANCE_ENDED

QUICK = {"ORCHESTRATOR_LEASE_SECONDS": "3", "ORCHESTRATOR_RESEND_SECONDS": "0.5"}
"""For tests of what is taken over and how it ends, not of how soon; a busy machine still renews the leases in time."""
KINDS: Mapping[str, Mapping[str, str]] = {
    "": {},
    "quick": QUICK,
    # Every step has a message of its own, which Celery sends as its chains and chords say.
    "separate": {"ORCHESTRATOR_FUSION": "off"},
    "chords": {**QUICK, "ORCHESTRATOR_FUSION": "off"},
}


def _servers(kind: str) -> list[Any]:
    return [pytest.param(f"{name} {kind}".rstrip(), marks=getattr(pytest.mark, name)) for name in ("redis", "rabbitmq")]


REDIS, RABBITMQ = _servers("")
QUICK_BROKERS = _servers("quick")
CHORD_BROKERS = _servers("chords")


class Variant(Product):
    """An installation whose processes have settings of their own."""

    def __init__(self, folder: Path, database_url: str, broker: Any, settings: Mapping[str, str]) -> None:
        super().__init__(folder, database_url, broker)
        self.settings = settings

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        activities = "tests.services.activities,tests.faults.probes"
        return super().environment({"ORCHESTRATOR_ACTIVITIES": activities, **self.settings, **(more or {})})

    def delivered(self, instance: str) -> list[dict[str, Any]]:
        """The messages of an instance that workers received, in order; see ``probes``."""
        file = self.folder / "messages.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return [message for message in map(json.loads, lines) if message["instance"] == instance]

    @property
    def fuses(self) -> bool:
        """Whether light steps share messages."""
        return self.settings.get("ORCHESTRATOR_FUSION") != "off"


@contextmanager
def unaided(product: Product) -> Iterator[None]:
    """Let the sweepers stand still: whatever was not sent, or only to a process that died, stays where it is."""
    sweepers = product.sweepers()
    # A process of its own lets them go on, also when the test run is killed meanwhile: a halted process cannot end.
    release = ["sh", "-c", 'read -r _; kill -CONT "$@"', "sh", *(str(sweeper.pid) for sweeper in sweepers)]
    with subprocess.Popen(release, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True):
        for sweeper in sweepers:
            sweeper.signal(signal.SIGSTOP)
        yield


@contextmanager
def running(services: Services, key: str) -> Iterator[Variant]:
    """An installation with a sweeper and no worker, kept for the next test that names it.

    One in which something has not ended is replaced, so that one failure does not make the next test fail.
    """
    name, _, kind = key.partition(" ")
    broker = services.broker(name)
    if not broker.ping():
        broker.start()
    if key not in services.products:
        folder = services.folder(f"product-{key.replace(' ', '-')}")
        services.products[key] = Variant(folder, services.cluster().clone(), broker, KINDS[kind])
    product = services.products[key]
    if not product.sweepers():
        product.sweeper()
    yield product
    try:
        product.stop_workers()
        broker.flush()
        clean = all(entry["state"] in INSTANCE_ENDED for entry in product.instances())
    except (AssertionError, OSError):
        clean = False
    if not clean:
        services.discard(key)
