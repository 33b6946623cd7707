"""Fixtures that fault and acceptance tests share: one set of private services for the whole run.

The services start when the first test asks for them and live in the run's configuration, so that every package that
imports these fixtures gets the same ones; they end with the run, whatever happened.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.services import database, filesystem, rabbitmq, redis
from tests.services.product import Product
from workflows_app.engine.states import INSTANCE_ENDED

BROKERS = {"redis": redis, "rabbitmq": rabbitmq, "filesystem": filesystem}
ALL_BROKERS = [
    pytest.param("redis", marks=pytest.mark.redis),
    pytest.param("rabbitmq", marks=pytest.mark.rabbitmq),
    "filesystem",
]
SERVER_BROKERS = ALL_BROKERS[:2]


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

    def product(self, name: str) -> Product:
        """The installation on a broker: a database of its own and a running sweeper, no worker yet."""
        if name not in self.products:
            broker = self.broker(name)
            self.products[name] = Product(self.folder(f"product-{name}"), self.cluster().clone(), broker)
        return self.products[name]

    def discard(self, name: str) -> None:
        """Stop an installation; the next test gets a new one."""
        self.products.pop(name).stop()

    def close(self) -> None:
        for name in list(self.products):
            self.discard(name)
        self.stack.close()


KEY = pytest.StashKey[Services]()


@pytest.fixture(scope="session")
def services(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Services:
    """The private services of this run."""
    if KEY not in request.config.stash:
        request.config.stash[KEY] = Services(tmp_path_factory)
        request.config.add_cleanup(request.config.stash[KEY].close)
    return request.config.stash[KEY]


@pytest.fixture(scope="session")
def fault_database(services: Services) -> str:
    """Address of a fresh migrated database, as the application's role."""
    return services.cluster().clone()


@pytest.fixture
def product(request: pytest.FixtureRequest, services: Services) -> Iterator[Product]:
    """An installation with a sweeper and no worker, on the broker that the test names by its parameter.

    Workers that a test starts are killed after it. An installation in which something has not ended is replaced, so
    that one failure does not make the next test fail.
    """
    name = getattr(request, "param", "filesystem")
    broker = services.broker(name)
    if not broker.ping():
        broker.start()
    product = services.product(name)
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
        services.discard(name)
