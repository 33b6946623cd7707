"""Fixtures of the fault matrix: private brokers, a throw-away database, real workers."""

from collections.abc import Callable, Iterator

import pytest

from tests.faults import installations
from tests.faults.installations import Variant
from tests.faults.lanes import Lanes
from tests.services.fixtures import Services


@pytest.fixture
def product(request: pytest.FixtureRequest, services: Services) -> Iterator[Variant]:
    """The installation that the test names by its parameter; the embedded broker by default."""
    with installations.running(services, getattr(request, "param", "filesystem")) as product:
        yield product


@pytest.fixture(scope="module")
def lanes(request: pytest.FixtureRequest, services: Services) -> Iterator[Lanes]:
    """Lanes of the installation that the module names by its parameter; their workers stay between tests."""
    with installations.running(services, request.param) as product:
        yield Lanes(product)


@pytest.fixture
def measured(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Keeps how many seconds something took for the summary of the run; see ``tests/conftest.py``."""

    def keep(what: str, seconds: float) -> None:
        where = request.node.callspec.id
        record_property("measured", f"{what} was killed ({where}): the step went on after {seconds:.1f} s")

    return keep
