"""A PostgreSQL database and a SQLite file of a test's own, both set up as connections."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tasks.activities.sql import databases

TABLES = """
CREATE TABLE items (id bigint PRIMARY KEY, name text NOT NULL, price numeric(10, 2));
CREATE TABLE log (line text, marker text);
"""


class Postgres:
    """The database, looked at from outside of the activities."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection = psycopg2.connect(url)
        self._connection.autocommit = True

    def run(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, params or None)
            return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def postgres(database_url: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Postgres]:
    """A database with two tables: ``sales`` may be changed, ``reports`` only read."""
    opened = Postgres(database_url)
    opened.run(TABLES)
    monkeypatch.setenv("SALES_DSN", database_url)
    settings.ORCHESTRATOR_CONNECTIONS = {
        "sales": {"dsn_env": "SALES_DSN"},
        "reports": {"dsn_env": "SALES_DSN", "read_only": True},
    }
    yield opened
    databases.forget_all()
    opened.close()


@pytest.fixture
def file_root(tmp_path: Path, settings: Any) -> Path:
    """The folder below which steps may use files; there is a secret beside it."""
    folder = tmp_path / "root"
    folder.mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("canary")
    settings.ORCHESTRATOR_FILE_ROOT = str(folder)
    return folder


@pytest.fixture
def sqlite(file_root: Path, settings: Any) -> Iterator[Path]:
    """A SQLite file as the connection ``notes``, with the same tables once a test has made them."""
    settings.ORCHESTRATOR_CONNECTIONS = {
        **settings.ORCHESTRATOR_CONNECTIONS,
        "notes": {"dsn": "sqlite:///notes.db"},
        "notes_ro": {"dsn": "sqlite:///notes.db", "read_only": True},
    }
    yield file_root / "notes.db"
    databases.forget_all()
