"""Fixtures of the fault matrix: private brokers, a throw-away database, real workers."""

from collections.abc import Callable, Iterator

import pytest

from tests.faults import installations
from tests.faults.installations import Variant
from tests.faults.lanes import Lanes
from tests.services.fixtures import Services, fault_database, services

__all__ = ["fault_database", "lanes", "measured", "product", "services"]

MEASURED = pytest.StashKey[list[str]]()


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
def measured(request: pytest.FixtureRequest) -> Callable[[str, float], None]:
    """Keeps how many seconds something took for the summary of the run."""

    def keep(what: str, seconds: float) -> None:
        lines = request.config.stash.setdefault(MEASURED, [])
        lines.append(f"{what} was killed ({request.node.callspec.id}): the step went on after {seconds:.1f} s")

    return keep


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how long killed work stood still."""
    for line in config.stash.get(MEASURED, []):
        terminalreporter.write_line(line)
