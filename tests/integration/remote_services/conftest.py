"""Two sites that answer as a test says, registered as services, and a driver that performs as a worker does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tasks import execution
from tasks.leases import Hold
from tests.integration.activities.conftest import (  # noqa: F401
    Site,
    _nothing_allowed,
    attempt,
    other_site,
    site,
)
from tests.integration.driver import Driver
from workflows_app.activities import registry
from workflows_app.services import service_registry
from workflows_app.services.steps import Claim

SERVICE = """
service: bank
endpoints: [{connection: bank}]
operations:
  charge: {method: POST, path: "/accounts/{account}/charges"}
  balance: {path: "/accounts/{account}"}
breaker: {failures: 3, open_for: 30s}
"""


@pytest.fixture
def bank(db: None, site: Site, settings: Any) -> Site:  # noqa: F811
    """A service of one endpoint; its breaker opens after three failures for 30 seconds."""
    settings.ORCHESTRATOR_CONNECTIONS = {"bank": {"base_url": site.url}}
    service_registry.register(text=SERVICE, actor="ada")
    return site


@pytest.fixture
def two(bank: Site, other_site: Site, settings: Any) -> tuple[Site, Site]:  # noqa: F811
    """The sites behind the connections ``first`` and ``second``."""
    settings.ORCHESTRATOR_CONNECTIONS = {"first": {"base_url": bank.url}, "second": {"base_url": other_site.url}}
    return bank, other_site


@pytest.fixture
def register() -> Callable[[str], Any]:
    return lambda text: service_registry.register(text=text, actor="ada")


@pytest.fixture
def driver(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """A driver whose steps go the whole way of a worker's: claim, perform, record."""

    @contextmanager
    def hold(claim: Claim, slow: Any = None) -> Iterator[Hold]:
        yield Hold(claim, slow)

    registry.discover()
    monkeypatch.setattr(execution.keeper, "hold", hold)
    monkeypatch.setattr(execution, "drop_open_transactions", lambda: None)
    monkeypatch.setattr(driver, "work", execution.run)
    return driver
