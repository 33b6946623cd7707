"""The application's role adds to history and cannot rewrite it, however it asks."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg2
import pytest
from django.db import connection
from psycopg2 import errors, sql

from workflows_app.running import roles

ROLE = f"security_app_{os.getpid()}"
HISTORY = ("workflows_app_event", "workflows_app_auditentry")


@pytest.fixture
def owner_url(db: None) -> str:
    return roles.url_of(connection.settings_dict)


@pytest.fixture
def application(owner_url: str) -> Iterator[psycopg2.extensions.connection]:
    """A session that acts as the application's role in the migrated test database."""
    with_power = psycopg2.connect(owner_url)
    with_power.autocommit = True
    name = sql.Identifier(ROLE)
    with with_power.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(name))
        roles.grant(owner_url, role=ROLE)
    session = psycopg2.connect(owner_url)
    session.autocommit = True
    try:
        with session.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
            cursor.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(name))
        yield session
    finally:
        session.close()
        with with_power.cursor() as cursor:
            cursor.execute(sql.SQL("DROP OWNED BY {}").format(name))
            cursor.execute(sql.SQL("DROP ROLE {}").format(name))
        with_power.close()


@pytest.mark.parametrize("table", HISTORY)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {} SET data = '{{}}'",
        "UPDATE {} SET hash = '' WHERE false",
        "DELETE FROM {}",
        "DELETE FROM {} WHERE false",
        "TRUNCATE {}",
        "TRUNCATE {} CASCADE",
        "ALTER TABLE {} DISABLE TRIGGER ALL",
        "ALTER TABLE {} DISABLE TRIGGER USER",
        "ALTER TABLE {} ADD COLUMN x int",
        "CREATE RULE quiet AS ON INSERT TO {} DO INSTEAD NOTHING",
        "CREATE TRIGGER evil BEFORE INSERT ON {} FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "WITH gone AS (DELETE FROM {} RETURNING *) SELECT count(*) FROM gone",
        "DROP TABLE {}",
    ],
)
def test_history_is_out_of_the_application_s_reach(
    application: psycopg2.extensions.connection, table: str, statement: str
) -> None:
    with application.cursor() as cursor, pytest.raises(errors.InsufficientPrivilege):
        cursor.execute(statement.format(table))


@pytest.mark.parametrize(
    "statement",
    [
        "SET session_replication_role = replica",
        "TRUNCATE workflows_app_instance CASCADE",
        "DROP TRIGGER event_append_only ON workflows_app_event",
        "ALTER FUNCTION wf_refuse_change() RENAME TO x",
        "CREATE OR REPLACE FUNCTION public.wf_refuse_change() RETURNS trigger LANGUAGE plpgsql AS ''",
        "CREATE FUNCTION public.wf_clock(int) RETURNS timestamptz LANGUAGE sql AS 'SELECT now()'",
        "CREATE TABLE public.mine (n int)",
        "CREATE SCHEMA mine",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('/etc/passwd')",
    ],
)
def test_the_application_cannot_change_what_guards_it(
    application: psycopg2.extensions.connection, statement: str
) -> None:
    with application.cursor() as cursor, pytest.raises(errors.InsufficientPrivilege):
        cursor.execute(statement)


def test_no_function_runs_with_more_rights_than_its_caller(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace "
            "WHERE n.nspname = 'public' AND prosecdef"
        )
        assert cursor.fetchall() == []


def test_the_rights_that_doctor_reports_are_the_real_ones(
    application: psycopg2.extensions.connection, owner_url: str
) -> None:
    with application.cursor() as cursor:
        for table in HISTORY:
            cursor.execute("SELECT has_table_privilege(%s, 'UPDATE, DELETE, TRUNCATE')", (table,))
            assert cursor.fetchone() == (False,)
            cursor.execute("SELECT has_any_column_privilege(%s, 'UPDATE')", (table,))
            assert cursor.fetchone() == (False,)
    assert not roles.is_separated(owner_url)
