"""Fixtures of the acceptance tests: an installation on the embedded broker, with a worker that stays between tests."""

from collections.abc import Iterator

import pytest

from tests.faults import installations
from tests.faults.installations import Variant
from tests.services import filesystem, web
from tests.services.fixtures import Services
from tests.services.product import Product
from workflows_app.engine.states import INSTANCE_ENDED

NAME = "acceptance"


@pytest.fixture
def installation(services: Services) -> Iterator[Product]:
    """An installation that works: database, embedded broker, sweeper and a worker for both queues."""
    if NAME not in services.products:
        broker = services.stack.enter_context(filesystem.running(services.folder(NAME)))
        services.products[NAME] = Product(broker.folder, services.cluster().clone(), broker)
    installation = services.products[NAME]
    if not installation.sweepers():
        installation.sweeper()
    if not installation.workers():
        installation.worker(queue="default,long")
    yield installation
    try:
        clean = all(entry["state"] in INSTANCE_ENDED for entry in installation.instances())
    except AssertionError:
        clean = False
    if not clean:
        services.discard(NAME)


@pytest.fixture
def apart(request: pytest.FixtureRequest, services: Services) -> Iterator[Variant]:
    """An installation without a worker, on the embedded broker or as the test names it by its parameter."""
    with installations.running(services, getattr(request, "param", "filesystem quick")) as product:
        yield product


@pytest.fixture
def address(installation: Product) -> str:
    """The address of a web process over the installation's database."""
    return web.serve(installation)
