"""Databases: the connections with a DSN, and one engine for each in a process.

``{"sales": {"dsn_env": "SALES_DSN", "read_only": true}, "notes": {"dsn": "sqlite:///notes.db"}}``

``dsn_env`` names the environment variable of the worker that holds the DSN, or a stored secret
(``{"secret": "sales-dsn"}``). A DSN with a password stands nowhere else: not in settings, messages or the texts of
errors.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from tasks import secrecy
from tasks.activities import connections
from tasks.activities.sql import sqlite_files
from workflows_app.engine.errors import ActivityError

CONNECT_SECONDS = 10
_KEYS = {"dsn", "dsn_env", "read_only"}
_SECRET_OPTIONS = ("password", "sslpassword", "passfile")
_POSTGRES = frozenset({"postgresql", "postgres", "postgresql+psycopg2"})
_HIDDEN = "[hidden]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """One database.

    Args:
        name: its name in definitions.
        url: where it is and how one logs in.
        read_only: whether nothing may be changed through it.
        secrets: texts that no error may repeat, the longest first.
    """

    name: str
    url: URL = field(repr=False)
    read_only: bool
    secrets: tuple[str, ...] = field(repr=False)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file."""
        return self.url.get_backend_name() == "sqlite"

    def scrubbed(self, text: str) -> str:
        """A text of the driver or the server without the secrets.

        Args:
            text: what it says.
        """
        for secret in self.secrets:
            text = text.replace(secret, _HIDDEN)
        return text


def get(name: str) -> Database:
    """The database of that name.

    Raises:
        ActivityError: UNKNOWN_CONNECTION, or CONNECTION_INVALID with the reason; neither is recoverable.
    """
    found: Any = connections.configured(name)
    try:
        if not isinstance(found, Mapping):
            raise TypeError(name)
        return _parse(name, found)
    except (TypeError, ValueError, AttributeError) as error:
        # only our own sentences: others may repeat the DSN
        reason = str(error) if type(error) is ValueError else "it must be a mapping with the keys dsn or dsn_env"
    raise ActivityError(f"Connection {name!r} is not usable: {reason}.", code="CONNECTION_INVALID", recoverable=False)


def _parse(name: str, found: Mapping[str, Any]) -> Database:
    unknown = set(found) - _KEYS
    if unknown:
        raise ValueError(f"it is no database, or has unknown keys: {', '.join(sorted(unknown))}")
    if ("dsn" in found) == ("dsn_env" in found):
        raise ValueError("it needs either dsn or dsn_env")
    read_only = found.get("read_only", False)
    if not isinstance(read_only, bool):
        raise ValueError("read_only must be true or false")
    dsn = connections.secret(found["dsn_env"]) if "dsn_env" in found else str(found["dsn"])
    try:
        url = make_url(dsn)
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.drivername not in _POSTGRES | {"sqlite"}:
        raise ValueError("the DSN must begin with postgresql:// or sqlite:///")
    secrets = [str(value) for key in _SECRET_OPTIONS if (value := url.query.get(key))]
    secrets += [str(url.password)] if url.password else []
    secrecy.hide(*secrets)
    if "dsn" in found and secrets:
        raise ValueError("a DSN with a password belongs into an environment variable of the worker, named by dsn_env")
    if url.drivername == "sqlite":
        sqlite_files.names(url.database or "")
    else:
        url = url.set(drivername="postgresql+psycopg2")
    hidden = {
        dsn,
        *(form for value in secrets for form in (value, quote(value), quote(value, safe=""), quote_plus(value))),
    }
    return Database(name=name, url=url, read_only=read_only, secrets=tuple(sorted(hidden, key=len, reverse=True)))


_engines: dict[tuple[str, bool], Engine] = {}


def engine(database: Database, *, writes: bool) -> Engine:
    """The process's engine for a database, made at its first use.

    Args:
        database: the database.
        writes: whether it is opened to change something; a SQLite file is opened read-only otherwise.
    """
    key = (database.url.render_as_string(hide_password=False), writes)
    if key not in _engines:
        _engines[key] = _sqlite(database, writes) if database.is_sqlite else _postgres(database)
    return _engines[key]


def forget_all() -> None:
    """Close every engine's connections."""
    for made in _engines.values():
        made.dispose()
    _engines.clear()


def _in_child() -> None:
    """A forked child must not speak on its parent's connections, nor close them."""
    for made in _engines.values():
        made.dispose(close=False)
    _engines.clear()


os.register_at_fork(after_in_child=_in_child)


def _postgres(database: Database) -> Engine:
    made = create_engine(
        database.url,
        pool_size=1,
        max_overflow=3,
        pool_timeout=CONNECT_SECONDS,
        pool_recycle=300,
        pool_pre_ping=True,
        pool_reset_on_return=None,
        hide_parameters=True,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "keepalives_idle": 5,
            "keepalives_interval": 3,
            "keepalives_count": 3,
            "application_name": "orchestrator",
        },
    )

    @event.listens_for(made, "reset")
    def reset(connection: Any, record: Any, state: Any) -> None:
        """What a statement set on its session ends with it."""
        if not state.terminate_only:
            connection.reset()

    return made


def _sqlite(database: Database, writes: bool) -> Engine:
    name, path = database.name, database.url.database or ""
    made = create_engine(
        "sqlite://",
        creator=lambda: sqlite_files.connect(name, path, writes=writes and not database.read_only),
        poolclass=NullPool,  # opening is cheap, and each time the way to the file is looked at again
        hide_parameters=True,
    )

    @event.listens_for(made, "begin")
    def begin(connection: Any) -> None:
        """The driver would begin only before some statements, and end before others."""
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return made
