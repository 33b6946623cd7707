"""Fixtures of the fault matrix: private brokers, a throw-away database, real workers."""

from collections.abc import Callable

import pytest

from tests.services.fixtures import fault_database, product, services

__all__ = ["fault_database", "measured", "product", "services"]

MEASURED = pytest.StashKey[list[str]]()


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
