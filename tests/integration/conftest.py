"""Integration tests: the services over a real PostgreSQL, with a driver in the place of workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.driver import Driver
from workflows_app import dispatch
from workflows_app.models import Instance
from workflows_app.services import verification


@pytest.fixture(autouse=True)
def _the_broker_has_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that its broker refused spares itself the next tries; no test is to feel what another one met."""
    monkeypatch.setattr(dispatch, "_refused_at", float("-inf"))


@pytest.fixture
def driver(db: None) -> Iterator[Driver]:
    """A driver; after the test every history must verify and fold to what is stored."""
    yield Driver()
    for instance in Instance.objects.all():
        assert verification.verify_history(instance.pk) is None
        assert verification.check_replay(instance.pk) == []
