"""Deleting histories needs the owner: the application's role alone is refused, the owner's address opens the way."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import quote

import psycopg2
import pytest
from django.conf import settings
from django.db import connection
from psycopg2 import sql
from psycopg2.extensions import parse_dsn

from workflows_app.running import roles

ROLE = f"purging_app_{os.getpid()}"


@pytest.fixture
def owner_url(db: None) -> str:
    parts = parse_dsn(roles.url_of(connection.settings_dict))
    password = f":{quote(parts['password'])}" if parts.get("password") else ""
    query = f"?host={quote(parts['host'])}" + (f"&port={parts['port']}" if parts.get("port") else "")
    return f"postgresql://{quote(parts['user'])}{password}@/{quote(parts['dbname'])}{query}"


@pytest.fixture
def application_url(owner_url: str) -> Iterator[str]:
    """The address of the migrated test database as a role that may not delete history."""
    session = psycopg2.connect(owner_url)
    session.autocommit = True
    name = sql.Identifier(ROLE)
    try:
        with session.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'purging'").format(name))
            roles.grant(owner_url, role=ROLE)
        yield f"postgresql://{ROLE}:purging@{owner_url.partition('@')[2]}"
    finally:
        with session.cursor() as cursor:
            cursor.execute(sql.SQL("DROP OWNED BY {}").format(name))
            cursor.execute(sql.SQL("DROP ROLE {}").format(name))
        session.close()


def purge(**environment: str) -> subprocess.CompletedProcess[str]:
    return manage("workflow", "purge", "--before", "2000-01-01", "--format", "json", **environment)


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    usual = {key: value for key, value in os.environ.items() if not key.startswith(("DATABASE_", "DJANGO_"))}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env={**usual, "ORCHESTRATOR_ENV": "dev", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_application_alone_may_not_purge(application_url: str) -> None:
    answer = purge(DATABASE_URL=application_url)

    assert answer.returncode == 1, answer
    assert "OWNER_NEEDED" in answer.stderr


def test_an_address_of_another_that_may_not_either_is_refused(application_url: str) -> None:
    answer = purge(DATABASE_URL=application_url, DATABASE_ADMIN_URL=application_url)

    assert answer.returncode == 1, answer
    assert "OWNER_NEEDED" in answer.stderr


def test_with_the_owners_address_the_same_command_purges(application_url: str, owner_url: str) -> None:
    answer = purge(DATABASE_URL=application_url, DATABASE_ADMIN_URL=owner_url)

    assert answer.returncode == 0, answer
    assert '"instances": 0' in answer.stdout


def test_what_nobody_keeps_goes_where_an_owner_is_known_and_stays_where_none_is(
    application_url: str, owner_url: str
) -> None:
    look = (
        "from workflows_app.running import keeping; from workflows_app.services import retention; "
        "retention.is_set = lambda: True; retention.due = lambda limit: [1]; print(keeping.look())"
    )

    for owner, said in (("", "None"), (owner_url, "'instance': 0")):
        answer = manage("shell", "-c", look, DATABASE_URL=application_url, DATABASE_ADMIN_URL=owner)
        assert (answer.returncode, said in answer.stdout) == (0, True), answer
