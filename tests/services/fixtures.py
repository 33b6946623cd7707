"""What tests of real processes share: one set of private services for the whole run, each started on first use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.distribution import group
from tests.services import database, filesystem, rabbitmq, redis
from tests.services.product import Product

SERVICES = pytest.StashKey["Services"]()
BROKERS = {"redis": redis, "rabbitmq": rabbitmq, "filesystem": filesystem}


class Services:
    """What was started so far, each once."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self.stack = ExitStack()
        self.factory = factory
        self.started: dict[str, Any] = {}
        self.products: dict[str, Product] = {}

    def folder(self, name: str) -> Path:
        return self.factory.mktemp(name)

    def cluster(self) -> database.Cluster:
        if "cluster" not in self.started:
            self.started["cluster"] = self.stack.enter_context(database.running(self.folder("database")))
        return self.started["cluster"]

    def broker(self, name: str) -> Any:
        if name not in self.started:
            self.started[name] = self.stack.enter_context(BROKERS[name].running(self.folder(name)))
        return self.started[name]

    def discard(self, name: str) -> None:
        """Stop an installation; the next test gets a new one."""
        self.products.pop(name).stop()

    def close(self) -> None:
        """Stop everything; whoever asks afterwards gets it started anew."""
        for name in list(self.products):
            self.discard(name)
        self.stack.close()
        self.started.clear()


@pytest.fixture(scope="session")
def services(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """The private services of this run; they end with it, whatever happened."""
    services = request.config.stash[SERVICES] = Services(tmp_path_factory)
    yield services
    services.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Stop what a group of tests of real processes has started once none of it follows: idle processes cost, too."""
    yield
    if SERVICES in item.config.stash and (nextitem is None or group(item.nodeid) != group(nextitem.nodeid)):
        item.config.stash[SERVICES].close()
