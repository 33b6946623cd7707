"""A driver whose steps go the whole way of a worker's: claim, perform, record, and what comes afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tasks import execution
from tasks.leases import Hold
from tests.integration.driver import Driver
from workflows_app.activities import registry
from workflows_app.services.steps import Claim


class Worker(Driver):
    """Performs in the test's own process and transaction."""

    def work(self, claim: Claim) -> None:
        execution.run(claim)


def make_worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    """Make a worker; leases are not kept, and the test's own transaction stays open around everything."""

    @contextmanager
    def hold(claim: Claim, slow: Any = None) -> Iterator[Hold]:
        yield Hold(claim, slow)

    monkeypatch.setattr(execution.keeper, "hold", hold)
    monkeypatch.setattr(execution, "drop_open_transactions", lambda: None)
    registry.discover()
    return Worker()
