"""Tests between sessions need rows that are really committed; the guards on history are lifted to clear them away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections

from tests.integration.robustness.prompt import Installation
from tests.services.filesystem import Filesystem
from tests.services.fixtures import Services


@pytest.fixture
def fresh_sessions(django_db_blocker: Any) -> Iterator[None]:
    """Afterwards no session is left that the guards do not hold for."""
    yield
    with django_db_blocker.unblock():
        connections.close_all()


@pytest.fixture
def committed_db(fresh_sessions: None, transactional_db: None) -> Iterator[None]:
    """The test database with real commits. History refuses TRUNCATE, so its guards sleep while it is flushed."""
    assert connection.settings_dict["NAME"].startswith("test_"), "only a test database may be emptied"
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")


@pytest.fixture
def shell(services: Services, tmp_path: Path) -> Iterator[Installation]:
    """An installation of one test, migrated and without processes."""
    cluster = services.cluster()
    owner_url, _ = cluster.addresses(cluster.create(template=cluster.template))
    installation = Installation(tmp_path, owner_url, Filesystem(tmp_path))
    yield installation
    installation.stop()
