"""Tests between sessions need rows that are really committed; the guards on history are lifted to clear them away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, connections


@pytest.fixture
def committed_db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The test database with real commits, empty before and after."""
    with django_db_blocker.unblock():
        empty()
        yield
        empty()
        connections.close_all()


def empty() -> None:
    """Remove every definition and whatever hangs on it, as only a superuser can."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("TRUNCATE workflows_app_definition, workflows_app_auditentry, workflows_app_queue CASCADE")
        cursor.execute("SET session_replication_role = origin")
