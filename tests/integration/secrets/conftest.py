"""Secrets that are set, and a worker in the test's own process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from tests.integration.activities.conftest import site  # noqa: F401
from tests.integration.driver import Driver
from tests.integration.secrets import steps
from tests.integration.working import Worker, make_worker
from workflows_app.services import secrets

CANARY = "canary/7f3a+tok en"


@pytest.fixture
def worker(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    steps.SEEN.clear()
    yield make_worker(monkeypatch)
    assert not leaks(CANARY), "the canary is in the database"


@pytest.fixture
def api(db: None) -> str:
    """The name of a secret whose value is the canary."""
    secrets.put(name="api", text=CANARY, actor="ada")
    return "api"


def leaks(text: str) -> list[str]:
    """Every row of every table that holds a text, as it is or as JSON writes it."""
    found: list[str] = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT row_to_json(t)::text FROM "{table}" t')
            rows = [row for (row,) in cursor.fetchall()]
            found += [f"{table}: {row}" for row in rows if text in row or json.dumps(text)[1:-1] in row]
    return found


def last_seen() -> dict[str, Any]:
    """What the last call of an activity was given."""
    return steps.SEEN[-1]
