"""What a run of tests shares: how its tests are distributed, its PostgreSQL, its private services, its summary.

The PostgreSQL is the one that DATABASE_URL names, or one of our own that is removed afterwards; each of pytest-xdist's
workers has its own. Only tests that use the database start it: the engine's unit tests need none.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, settings

from tests.distribution import (
    pytest_collection_modifyitems,
    pytest_xdist_auto_num_workers,
    pytest_xdist_make_scheduler,
)
from tests.services.fixtures import pytest_runtest_teardown, services

__all__ = [
    "pytest_collection_modifyitems",
    "pytest_runtest_teardown",
    "pytest_xdist_auto_num_workers",
    "pytest_xdist_make_scheduler",
    "services",
]

OWN_FOLDER = pytest.StashKey[str]()

# A busy machine is no fault of the code. Where CI is set, Hypothesis draws the same examples every time; that stays.
settings.register_profile("busy", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_configure(config: pytest.Config) -> None:
    """Give the run a temporary folder of its own.

    pytest's default is shared by all runs of a user, and each of them closes it to other users at its start. For root,
    PostgreSQL is another user: a second run would take the data from under the servers of the first.
    """
    if config.option.basetemp is None:
        config.stash[OWN_FOLDER] = config.option.basetemp = tempfile.mkdtemp(prefix="orchestrator-tests-")


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> Iterator[None]:
    """Remove that folder after a good run; after another one its logs may be of use."""
    yield
    if OWN_FOLDER in session.config.stash and exitstatus == pytest.ExitCode.OK:
        shutil.rmtree(session.config.stash[OWN_FOLDER], ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[None]:
    """Run the embedded PostgreSQL unless DATABASE_URL names a server.

    A test's transaction stays open while it waits, on a busy machine for longer than a session of the product may.
    """
    from django.db.backends.signals import connection_created

    connection_created.disconnect(dispatch_uid="workflows_app.idle")
    if os.environ.get("DATABASE_URL"):
        yield
        return
    from django.conf import settings

    from workflows_app.running import postgres

    server = postgres.start(settings.TEST_POSTGRES_DIR, durable=False)
    try:
        yield
    finally:
        server.stop()
        shutil.rmtree(settings.TEST_POSTGRES_DIR, ignore_errors=True)


@pytest.fixture
def database_url(postgres_server: None) -> Iterator[str]:
    """An empty database of its own, dropped after the test."""
    import psycopg2
    from django.conf import settings

    entry = settings.DATABASES["default"]
    parts = {"host": entry["HOST"], "port": entry["PORT"], "user": entry["USER"], "password": entry["PASSWORD"]}
    parts["host"] = parts["host"] or entry.get("OPTIONS", {}).get("host", "")
    known = {key: value for key, value in parts.items() if value}
    name = f"throwaway_{uuid.uuid4().hex[:12]}"
    server = psycopg2.connect(dbname="postgres", **known)
    server.autocommit = True
    try:
        with server.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        yield make_url(name, known)
        with server.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        server.close()


def make_url(name: str, known: dict[str, str]) -> str:
    """Write connection parameters as an address; a socket's folder goes into the query."""
    user, password = quote(known.get("user", "")), known.get("password")
    secret = f":{quote(password)}" if password else ""
    host, port = known.get("host", ""), known.get("port")
    if host.startswith("/"):
        return f"postgresql://{user}{secret}@/{name}?host={quote(host)}"
    return f"postgresql://{user}{secret}@{host}{f':{port}' if port else ''}/{name}"


@pytest.fixture(scope="session")
def django_db_setup(postgres_server: None, django_db_setup: None) -> None:
    """Create the test database once the server runs."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    """Say where logs are, and what tests measured; that comes with their reports, from whichever worker."""
    if exitstatus != pytest.ExitCode.OK and OWN_FOLDER in config.stash:
        terminalreporter.write_line(f"Logs and other files of this run: {config.stash[OWN_FOLDER]}")
    for report in terminalreporter.getreports("passed"):
        for name, line in report.user_properties:
            if name == "measured" and report.when == "call":
                terminalreporter.write_line(line)
