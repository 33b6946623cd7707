"""Who may do what in the database: an owner migrates, the application never rewrites history."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from typing import Any, Final

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import make_dsn, parse_dsn

OWNER: Final = "orchestrator_owner"
APPLICATION: Final = "orchestrator_app"
SHOP: Final = "shop"
# What happened stays as it was written (law 5): rows are added and read, nothing else.
HISTORY_TABLES: Final = ("workflows_app_event", "workflows_app_auditentry")


def prepare(superuser_url: str) -> None:
    """Make the embedded server's roles and databases where they are missing.

    Args:
        superuser_url: address of the maintenance database as superuser.
    """
    connection = psycopg2.connect(superuser_url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT rolname FROM pg_roles")
            known = {name for (name,) in cursor.fetchall()}
            for role in (OWNER, APPLICATION, SHOP):
                if role not in known:
                    cursor.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
            cursor.execute("SELECT datname FROM pg_database")
            databases = {name for (name,) in cursor.fetchall()}
            for database, owner in (("orchestrator", OWNER), ("shop", SHOP)):
                if database not in databases:
                    cursor.execute(
                        sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), sql.Identifier(owner))
                    )
    finally:
        connection.close()


def grant(owner_url: str, *, role: str, schema: str = "public") -> None:
    """Give ``role`` what the application needs on everything that is there, and take history's rewriting away.

    To be called after every migration; does nothing where ``role`` owns the tables itself.

    Args:
        owner_url: address of the database as the role that migrates.
        role: the application's role.
        schema: where the tables are.
    """
    connection = psycopg2.connect(owner_url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            if cursor.fetchone() == (role,):
                return
            names = {"role": sql.Identifier(role), "schema": sql.Identifier(schema)}
            for statement in (
                "GRANT USAGE ON SCHEMA {schema} TO {role}",
                "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
                "GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
                "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} TO {role}",
            ):
                cursor.execute(sql.SQL(statement).format(**names))
            for table in HISTORY_TABLES:
                cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{schema}.{table}",))
                if cursor.fetchone() == (True,):
                    cursor.execute(
                        sql.SQL("REVOKE UPDATE, DELETE, TRUNCATE ON {schema}.{table} FROM {role}").format(
                            table=sql.Identifier(table), **names
                        )
                    )
    finally:
        connection.close()


def is_separated(application_url: str) -> bool:
    """Whether the application's role is kept from rewriting history.

    Args:
        application_url: address of the database as the application.
    """
    connection = psycopg2.connect(application_url)
    try:
        with connection, connection.cursor() as cursor:
            for table in HISTORY_TABLES:
                cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (table,))
                if cursor.fetchone() != (True,):
                    continue
                cursor.execute("SELECT has_table_privilege(%s, 'UPDATE, DELETE, TRUNCATE')", (table,))
                if cursor.fetchone() == (True,):
                    return False
        return True
    finally:
        connection.close()


def user_of(url: str) -> str:
    """The role that an address logs in as.

    >>> user_of("postgresql://app:secret@db/orchestrator")
    'app'
    """
    return str(parse_dsn(url).get("user") or getpass.getuser())


def url_of(database: Mapping[str, Any]) -> str:
    """libpq's form of one of Django's database entries.

    >>> url_of({"NAME": "flows", "USER": "app", "HOST": "db", "PORT": "", "PASSWORD": "", "OPTIONS": {}})
    'user=app host=db dbname=flows'
    """
    parts = {
        "user": database.get("USER"),
        "password": database.get("PASSWORD"),
        "host": database.get("HOST") or database.get("OPTIONS", {}).get("host"),
        "port": database.get("PORT"),
        "dbname": database.get("NAME"),
    }
    return str(make_dsn(**{name: value for name, value in parts.items() if value}))
