"""Integration tests: the services over a real PostgreSQL, with a driver in the place of workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.driver import Driver
from workflows_app.models import Instance
from workflows_app.services import verification


@pytest.fixture
def driver(db: None) -> Iterator[Driver]:
    """A driver; after the test every history must verify and fold to what is stored."""
    yield Driver()
    for instance in Instance.objects.all():
        assert verification.verify_history(instance.pk) is None
        assert verification.check_replay(instance.pk) == []
