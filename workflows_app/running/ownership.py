"""Ownership: what deletes histories acts as the role that may; the application's own role may not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, connections
from psycopg2.extensions import parse_dsn

from workflows_app.engine.errors import Refused
from workflows_app.running import postgres, roles


@contextmanager
def as_owner(url: str | None = None) -> Iterator[None]:
    """Let this thread's connection act as a role that may delete history, and be itself again afterwards.

    Args:
        url: the address of such a role; else ``DATABASE_ADMIN_URL``, or the embedded database's.

    Raises:
        Refused: OWNER_NEEDED; nothing says how to reach such a role, or the one that is named may not either.
    """
    if _may_delete():
        yield
        return
    url = url or _known()
    usual = connections[DEFAULT_DB_ALIAS]
    # A connection of its own: other threads of the process go on as the application.
    other = connections.create_connection(DEFAULT_DB_ALIAS)
    if url:
        other.settings_dict = {**usual.settings_dict, **settings_of(url, usual.settings_dict)}
    connections[DEFAULT_DB_ALIAS] = other
    try:
        if not url or not _may_delete():
            raise Refused(
                "the application's role may not delete history: set DATABASE_ADMIN_URL to the owner's address",
                code="OWNER_NEEDED",
            )
        yield
    finally:
        other.close()
        connections[DEFAULT_DB_ALIAS] = usual


def is_possible(url: str | None = None) -> bool:
    """Whether anything says how to reach a role that may delete history, or ours may itself."""
    return bool(url or _known()) or _may_delete()


def _known() -> str | None:
    return os.environ.get("DATABASE_ADMIN_URL") or _embedded()


def settings_of(url: str, usual: dict[str, Any]) -> dict[str, Any]:
    """Return one of Django's database entries for another address of the same kind.

    >>> found = settings_of("postgresql://owner:secret@db:5433/flows?sslmode=require", {"OPTIONS": {"host": "x"}})
    >>> found["USER"], found["HOST"], found["PORT"], found["OPTIONS"]
    ('owner', 'db', '5433', {'sslmode': 'require'})
    """
    parts = parse_dsn(url)
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    named = {key: parts.pop(part, "") for key, part in names.items()}
    others = {key: value for key, value in usual.get("OPTIONS", {}).items() if key not in names.values()}
    return {**named, "OPTIONS": {**others, **parts}}


def _embedded() -> str | None:
    if os.environ.get("DATABASE_URL"):
        return None
    return postgres.url(Path(settings.STATE_DIR) / "postgres", user=roles.OWNER)


def _may_delete() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege('workflows_app_event', 'DELETE')")
        return bool(cursor.fetchone()[0])
