"""What tests of real processes share: one set of private services for the whole run, each started on first use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.services import database, filesystem, rabbitmq, redis
from tests.services.product import Product

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
        for name in list(self.products):
            self.discard(name)
        self.stack.close()


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """The private services of this run; they end with it, whatever happened."""
    services = Services(tmp_path_factory)
    yield services
    services.close()
