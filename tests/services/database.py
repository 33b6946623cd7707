"""A throw-away PostgreSQL: migrated once, cloned for each broker, reached as the application's restricted role."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg2
from psycopg2 import sql

from tests.services.processes import REPOSITORY
from workflows_app.running import postgres, roles

MIGRATE_SECONDS = 120


class Cluster:
    """One server with a migrated template database.

    Args:
        admin_url: address of its maintenance database as a role that may create databases.
        addresses: gives the addresses of a database as (owner, application).
        owner: the role that owns the databases; the creator by default.
    """

    def __init__(
        self, admin_url: str, addresses: Callable[[str], tuple[str, str]], *, owner: str | None = None
    ) -> None:
        self.admin_url = admin_url
        self.owner = owner
        self.addresses = addresses
        self.mark = secrets.token_hex(4)
        self.names: list[str] = []
        self.template = ""

    def create(self, *, template: str = "template1") -> str:
        """Create a database and return its name."""
        name = f"orchestrator_test_{self.mark}_{len(self.names)}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        if self.owner:
            statement += sql.SQL(" OWNER {}").format(sql.Identifier(self.owner))
        self._execute(statement)
        self.names.append(name)
        return name

    def prepare(self) -> None:
        """Create the template and migrate it in a process of its own, as an installation does."""
        self.template = self.create()
        owner_url, application_url = self.addresses(self.template)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("ORCHESTRATOR_", "CELERY_"))},
            "ORCHESTRATOR_ENV": "test",
            "DJANGO_SETTINGS_MODULE": "orchestrator.settings.test",
            "DATABASE_URL": owner_url,
            "DATABASE_ADMIN_URL": owner_url,
        }
        done = subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            timeout=MIGRATE_SECONDS,
        )
        assert done.returncode == 0, f"migrate failed: {done.stdout}{done.stderr}"
        if application_url != owner_url:
            roles.grant(owner_url, role=roles.APPLICATION)

    def clone(self) -> str:
        """A fresh migrated database; the application's address of it."""
        return self.addresses(self.create(template=self.template))[1]

    def drop(self) -> None:
        """Drop what was created here."""
        for name in self.names:
            self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _execute(self, statement: sql.Composable) -> None:
        with closing(psycopg2.connect(self.admin_url)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)


@contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """A migrated cluster: on the server of ``DATABASE_URL`` where it is set, else on an embedded one in ``folder``."""
    url = os.environ.get("DATABASE_ADMIN_URL") or os.environ.get("DATABASE_URL")
    if url:
        parts = urlsplit(url)

        def same(name: str) -> tuple[str, str]:
            address = urlunsplit(parts._replace(path=f"/{name}"))
            return address, address

        cluster = Cluster(url, same)
        try:
            cluster.prepare()
            yield cluster
        finally:
            cluster.drop()
        return

    server = postgres.start(folder / "postgres", durable=False)
    try:
        roles.prepare(server.url)
        cluster = Cluster(
            server.url,
            lambda name: (
                server.address(database=name, user=roles.OWNER),
                server.address(database=name, user=roles.APPLICATION),
            ),
            owner=roles.OWNER,
        )
        cluster.prepare()
        yield cluster
    finally:
        server.stop()
