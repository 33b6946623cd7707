"""The servers of a run: a private PostgreSQL that is as durable as the shipped one, private brokers.

Where a server is not installed, ``BENCH_REDIS_URL`` and ``BENCH_RABBITMQ_URL`` may name one; ``BENCH_DATABASE_URL``
(a superuser's address) goes before the private PostgreSQL. What is in the queues of a named broker is thrown away.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import redis as client
from kombu import Connection
from psycopg2 import sql

from tests.services import rabbitmq, redis
from tests.services.database import Cluster
from tests.services.processes import SYSTEM_FOLDERS
from workflows_app.running import postgres, roles

REDIS_VARIABLE: Final = "BENCH_REDIS_URL"
RABBITMQ_VARIABLE: Final = "BENCH_RABBITMQ_URL"
DATABASE_VARIABLE: Final = "BENCH_DATABASE_URL"
BROKERS: Final = ("redis", "rabbitmq")
# Everything else in the database belongs to instances.
KEPT_TABLES: Final = (
    "definition", "definitionversion", "decisiontable", "decisiontableversion", "auditentry", "queue",
)  # fmt: skip


class Missing(RuntimeError):
    """A server is neither installed nor named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where either side's messages and the yardstick's results go.

    Args:
        name: ``redis`` or ``rabbitmq``.
        url: the product's broker.
        plain_url: the yardstick's: the same server, another database of Redis.
        results_url: where the yardstick keeps its results.
    """

    name: str
    url: str
    plain_url: str
    results_url: str

    @property
    def results_kind(self) -> str:
        """What keeps the yardstick's results: ``redis`` or ``rpc``."""
        return urlsplit(self.results_url).scheme


def version(broker: Broker) -> str:
    """The version that a broker says it has."""
    if broker.name == "redis":
        with client.Redis.from_url(broker.url) as asked:
            return str(asked.info("server")["redis_version"])
    with Connection(broker.url) as connection:
        return str(connection.connection.server_properties["version"])


def installed(binary: str) -> bool:
    """Whether a server's program is on this machine."""
    return shutil.which(binary, path=os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS])) is not None


def second_database(url: str) -> str:
    """The address of the next database of a Redis server.

    >>> second_database("redis://127.0.0.1:6379/0"), second_database("redis://127.0.0.1:6379")
    ('redis://127.0.0.1:6379/1', 'redis://127.0.0.1:6379/1')
    """
    parts = urlsplit(url)
    number = int(parts.path.strip("/") or 0)
    return urlunsplit(parts._replace(path=f"/{number + 1}"))


@contextmanager
def redis_url(folder: Path) -> Iterator[str]:
    """Address of a Redis: a private one, else the named one.

    Raises:
        Missing: there is neither.
    """
    if installed("redis-server"):
        folder.mkdir()
        with redis.running(folder) as server:
            yield server.url
    elif named := os.environ.get(REDIS_VARIABLE):
        yield named
    else:
        raise Missing(f"redis-server is not installed and {REDIS_VARIABLE} names none")


@contextmanager
def rabbitmq_url(folder: Path) -> Iterator[str]:
    """Address of a RabbitMQ: a private one, else the named one.

    Raises:
        Missing: there is neither.
    """
    if installed("rabbitmq-server") and installed("epmd"):
        folder.mkdir()
        with rabbitmq.running(folder) as server:
            yield server.url
    elif named := os.environ.get(RABBITMQ_VARIABLE):
        yield named
    else:
        raise Missing(f"rabbitmq-server is not installed and {RABBITMQ_VARIABLE} names none")


@contextmanager
def broker(name: str, folder: Path, *, results: str = "redis") -> Iterator[Broker]:
    """A running broker with a place for the yardstick's results.

    Args:
        name: ``redis`` or ``rabbitmq``.
        folder: a new folder for its files.
        results: on RabbitMQ: ``redis`` keeps results in a Redis, as is usual (chords need it; without a Redis it is
            ``rpc`` after all), ``rpc`` sends them back as messages.

    Raises:
        Missing: a server is neither installed nor named.
    """
    folder.mkdir()
    if name == "redis":
        with redis_url(folder / "redis") as url:
            plain = second_database(url)
            yield Broker(name=name, url=url, plain_url=plain, results_url=plain)
        return
    with rabbitmq_url(folder / "rabbitmq") as url:
        if results == "redis" and (installed("redis-server") or REDIS_VARIABLE in os.environ):
            with redis_url(folder / "redis") as kept:
                yield Broker(name=name, url=url, plain_url=url, results_url=second_database(kept))
        else:
            yield Broker(name=name, url=url, plain_url=url, results_url="rpc://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A migrated database.

    Args:
        url: its address as the application.
        admin_url: the same as a superuser.
    """

    url: str
    admin_url: str

    def execute(
        self, statement: str | sql.Composable, values: Mapping[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        """Run a statement as superuser, with every trigger and check of references off; its rows, if it gives any."""
        with closing(psycopg2.connect(self.admin_url)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SET session_replication_role = replica")
                cursor.execute(statement, values)
                return list(cursor.fetchall()) if cursor.description else []

    def tables(self) -> list[str]:
        """The tables that hold instances and what belongs to them."""
        found = self.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename LIKE 'workflows\\_app\\_%'"
        )
        kept = {f"workflows_app_{name}" for name in KEPT_TABLES}
        return sorted(name for (name,) in found if name not in kept)

    def empty(self) -> None:
        """Forget every instance; definitions stay."""
        names = sql.SQL(", ").join(sql.Identifier(name) for name in self.tables())
        self.execute(sql.SQL("TRUNCATE {}").format(names))


@contextmanager
def databases(folder: Path) -> Iterator[Cluster]:
    """A server whose databases are migrated and durable; ``fresh`` makes one of them."""
    named = os.environ.get(DATABASE_VARIABLE)
    server = None
    if named:
        parts = urlsplit(named)

        def addresses(name: str) -> tuple[str, str]:
            return (urlunsplit(parts._replace(path=f"/{name}")),) * 2

        cluster = Cluster(named, addresses)
    else:
        server = postgres.start(folder / "postgres", durable=True)
        roles.prepare(server.url)
        started = server
        cluster = Cluster(
            server.url,
            lambda name: (
                started.address(database=name, user=roles.OWNER),
                started.address(database=name, user=roles.APPLICATION),
            ),
            owner=roles.OWNER,
        )
    try:
        cluster.prepare()
        yield cluster
        if server is None:
            cluster.drop()
    finally:
        if server is not None:
            server.stop()


def fresh(cluster: Cluster) -> Database:
    """A migrated database without instances."""
    url = cluster.clone()
    name = cluster.names[-1]
    parts = urlsplit(cluster.admin_url)
    return Database(url=url, admin_url=urlunsplit(parts._replace(path=f"/{name}")))
