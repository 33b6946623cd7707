"""A worker on the bench, and for what happens between commits a database with real ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.hot_path.workbench import Workbench
from tests.integration.robustness.conftest import committed_db, fresh_sessions
from workflows_app.models import Instance
from workflows_app.services import verification

__all__ = ["bench", "committed_db", "fresh_sessions"]


@pytest.fixture
def bench(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workbench]:
    """A worker without a broker; after the test every history must verify and fold to what is stored."""
    yield Workbench(monkeypatch)
    for instance in Instance.objects.all():
        assert verification.verify_history(instance.pk) is None
        assert verification.check_replay(instance.pk) == []


@pytest.fixture(params=["the database decides", "the engine decides"])
def decided(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who decides what follows from a success."""
    if request.param == "the engine decides":
        monkeypatch.setattr("workflows_app.engine.plain.after", lambda graph, path: None)
    return str(request.param)
