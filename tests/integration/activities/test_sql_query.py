"""sql.query: typed rows, bounds, pages, and that a query only reads, on PostgreSQL and SQLite."""

from __future__ import annotations

import os
import socket
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.activities.databases import Postgres
from tests.services.processes import PATIENCE, eventually
from workflows_app.activities import ActivityError, AttemptCancelled

Perform = Callable[..., Any]
Refusal = Callable[..., ActivityError]


def test_cells_become_json_as_documented(postgres: Postgres, perform: Perform) -> None:
    sql = """
        SELECT 7::bigint AS whole, 12.50::numeric AS price, 3::numeric AS count,
               0.10000000000000000001::numeric AS precise, 1.5::float8 AS ratio, true AS flag, NULL AS nothing,
               '2026-03-01 10:00+02'::timestamptz AS moment, '2026-03-01 10:00'::timestamp AS local,
               '2026-03-01'::date AS day, '90 minutes'::interval AS span, '\\x00ff'::bytea AS raw,
               'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid AS id, '{"a": [1, null]}'::jsonb AS doc, ARRAY[1, 2] AS many
    """

    result = perform("sql.query", {"connection": "reports", "sql": sql})

    assert result["rows"] == [
        {
            "whole": 7,
            "price": 12.5,
            "count": 3,
            "precise": "0.10000000000000000001",
            "ratio": 1.5,
            "flag": True,
            "nothing": None,
            "moment": "2026-03-01T08:00:00Z",
            "local": "2026-03-01T10:00:00",
            "day": "2026-03-01",
            "span": 5400.0,
            "raw": {"base64": "AP8="},
            "id": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "doc": {"a": [1, None]},
            "many": [1, 2],
        }
    ]
    assert result["columns"] == list(result["rows"][0])
    assert (result["row_count"], result["truncated"]) == (1, False)


@pytest.mark.parametrize("value", ["'NaN'::float8", "'NaN'::numeric", "'infinity'::float8", "ARRAY['NaN'::float8]"])
def test_what_is_no_number_in_json_is_refused_with_its_place(postgres: Postgres, refusal: Refusal, value: str) -> None:
    error = refusal("sql.query", {"connection": "sales", "sql": f"SELECT 1 AS a, {value} AS b"})

    assert (error.code, error.recoverable) == ("VALUE_NOT_JSON", False)
    assert error.details == {"row": 0, "column": "b"}


@pytest.mark.parametrize("value", ["'; DROP TABLE items; --", "\\'; DROP TABLE items; --", "%s %(a)s :a", "🙂'\""])
def test_a_parameter_is_a_value_whatever_it_says(postgres: Postgres, perform: Perform, value: str) -> None:
    result = perform("sql.query", {"connection": "sales", "sql": "SELECT :a AS a, '100%' AS b", "params": {"a": value}})

    assert result["rows"] == [{"a": value, "b": "100%"}]
    assert postgres.run("SELECT count(*) FROM items") == [(0,)]


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT 1; COMMIT; DROP TABLE items", "SQL_NOT_ALLOWED"),
        ("SELECT E'a'\n'\\''; COMMIT; DROP TABLE items; --'", "SQL_NOT_ALLOWED"),
        ("SELECT a€$$ ; COMMIT; DROP TABLE items; -- $$", "SQL_NOT_ALLOWED"),
        ("DROP TABLE items", "QUERY_EXECUTION_FAILED"),
        ("COMMIT", "QUERY_EXECUTION_FAILED"),
        ("DELETE FROM items RETURNING id", "QUERY_EXECUTION_FAILED"),
        ("WITH gone AS (DELETE FROM items RETURNING id) SELECT * FROM gone", "QUERY_EXECUTION_FAILED"),
        ("SELECT change()", "READ_ONLY"),
        ("SELECT set_config('transaction_read_only', 'off', false)", "QUERY_EXECUTION_FAILED"),
    ],
)
def test_a_query_changes_nothing(postgres: Postgres, refusal: Refusal, sql: str, code: str) -> None:
    postgres.run("INSERT INTO items VALUES (1, 'tea', 3)")
    postgres.run("CREATE FUNCTION change() RETURNS int LANGUAGE sql AS 'DELETE FROM public.items RETURNING 1'")

    error = refusal("sql.query", {"connection": "sales", "sql": sql})

    assert (error.code, error.recoverable) == (code, False)
    assert postgres.run("SELECT id FROM items") == [(1,)]


def test_what_a_query_sets_on_its_session_ends_with_it(postgres: Postgres, perform: Perform) -> None:
    for activity in ("sql.query", "sql.execute"):
        perform(activity, {"connection": "sales", "sql": "SELECT set_config('search_path', 'nowhere', false)"})

    result = perform("sql.query", {"connection": "sales", "sql": "SELECT current_setting('search_path') AS path"})

    assert "public" in result["rows"][0]["path"]


def test_rows_beyond_the_bound_are_cut_and_the_result_says_so(postgres: Postgres, perform: Perform) -> None:
    sql = "SELECT n FROM generate_series(1, 5) AS n"

    cut = perform("sql.query", {"connection": "sales", "sql": sql, "max_rows": 3})
    whole = perform("sql.query", {"connection": "sales", "sql": sql, "max_rows": 5})

    assert ([row["n"] for row in cut["rows"]], cut["truncated"]) == ([1, 2, 3], True)
    assert (whole["row_count"], whole["truncated"]) == (5, False)


def test_a_huge_table_is_never_held_in_memory(postgres: Postgres, perform: Perform) -> None:
    sql = "SELECT n, repeat('x', 1000) AS text FROM generate_series(1, 200000) AS n"  # 200 MB
    parameters = {"connection": "sales", "sql": sql, "max_rows": 10}
    perform("sql.query", parameters)

    tracemalloc.start()
    try:
        result = perform("sql.query", parameters)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert result["truncated"]
    assert peak < 3_000_000


def test_rows_that_exceed_a_result_are_refused_by_name(postgres: Postgres, refusal: Refusal, settings: Any) -> None:
    settings.ORCHESTRATOR_MAX_OUTPUT_BYTES = 20_000
    sql = "SELECT repeat('x', 1000) AS text FROM generate_series(1, 1000)"

    error = refusal("sql.query", {"connection": "sales", "sql": sql})

    assert (error.code, error.recoverable, error.details["limit"]) == ("ROWS_TOO_LARGE", False, 20_000)


def test_pages_follow_their_keys_to_the_end(postgres: Postgres, perform: Perform) -> None:
    postgres.run("INSERT INTO items SELECT n, 'item ' || n % 3, n FROM generate_series(1, 8) AS n")
    seen: list[tuple[str, int]] = []
    after: dict[str, Any] | None = {"name": None, "id": None}

    while after is not None:
        sql = "SELECT id, name FROM items WHERE id < :most -- all"
        page = perform(
            "sql.query",
            {"connection": "sales", "sql": sql, "params": {"most": 8}, "max_rows": 3, "after": after},
        )
        seen += [(row["name"], row["id"]) for row in page["rows"]]
        after = page["next"]

    assert seen == sorted(seen)
    assert len(seen) == len(set(seen)) == 7


def test_a_name_of_a_key_is_never_sql(postgres: Postgres, refusal: Refusal) -> None:
    postgres.run("INSERT INTO items VALUES (1, 'tea', 3)")
    after = {'id") AS page; DROP TABLE items; --': 1}

    error = refusal("sql.query", {"connection": "sales", "sql": "SELECT id FROM items", "after": after})

    assert (error.code, error.details["sqlstate"]) == ("QUERY_EXECUTION_FAILED", "42703")
    assert postgres.run("SELECT id FROM items") == [(1,)]


@pytest.mark.parametrize(
    ("sql", "state"), [("SELEC 1", "42601"), ("SELECT * FROM nowhere", "42P01"), ("SELECT 1 / 0", "22012")]
)
def test_a_wrong_statement_has_its_sqlstate_and_no_other_attempt(
    postgres: Postgres, refusal: Refusal, sql: str, state: str
) -> None:
    error = refusal("sql.query", {"connection": "sales", "sql": sql})

    assert (error.code, error.recoverable) == ("QUERY_EXECUTION_FAILED", False)
    assert error.details["sqlstate"] == state


def test_two_columns_of_one_name_are_refused(postgres: Postgres, refusal: Refusal) -> None:
    assert refusal("sql.query", {"connection": "sales", "sql": "SELECT 1 AS a, 2 AS a"}).code == "DUPLICATE_COLUMNS"


def test_a_statement_ends_with_the_attempts_time(postgres: Postgres, refusal: Refusal) -> None:
    error = refusal("sql.query", {"connection": "sales", "sql": "SELECT pg_sleep(30)"}, deadline_seconds=0.3)

    assert (error.code, error.recoverable) == ("QUERY_TIMEOUT", True)


def test_a_running_statement_is_cancelled_when_the_attempt_is_told_to_stop(
    postgres: Postgres, perform: Perform
) -> None:
    told = threading.Event()

    def running() -> list[tuple[Any, ...]]:
        return postgres.run(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
        )

    def tell() -> None:
        try:
            eventually(running, PATIENCE, "the statement runs")
        finally:
            told.set()

    teller = threading.Thread(target=tell)
    teller.start()
    try:
        with pytest.raises(AttemptCancelled):
            perform("sql.query", {"connection": "sales", "sql": "SELECT pg_sleep(600)"}, stop_requested=told.is_set)
    finally:
        teller.join()

    assert not running()


def test_a_server_that_is_not_there_may_come_back(settings: Any, refusal: Refusal, monkeypatch: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        dsn = f"postgresql://ada:s3cr%2Fet@127.0.0.1:{taken.getsockname()[1]}/sales"
        monkeypatch.setenv("GONE_DSN", dsn)
        settings.ORCHESTRATOR_CONNECTIONS = {"gone": {"dsn_env": "GONE_DSN"}}

        error = refusal("sql.query", {"connection": "gone", "sql": "SELECT 1"})

    assert (error.code, error.recoverable) == ("CONNECTION_FAILED", True)
    shown = f"{error.message} {error.details} {error.__cause__} {error!r}"
    assert "s3cr" not in shown


def test_a_connection_that_the_server_ended_is_recoverable_and_then_made_anew(
    postgres: Postgres, refusal: Refusal, perform: Perform
) -> None:
    error = refusal("sql.query", {"connection": "sales", "sql": "SELECT pg_terminate_backend(pg_backend_pid())"})

    assert (error.code, error.recoverable, error.details.get("effect")) == ("CONNECTION_FAILED", True, None)
    assert perform("sql.query", {"connection": "sales", "sql": "SELECT 1 AS a"})["rows"] == [{"a": 1}]


def test_a_forked_process_has_connections_of_its_own(postgres: Postgres, perform: Perform) -> None:
    parameters = {"connection": "sales", "sql": "SELECT pg_backend_pid() AS pid"}
    before = perform("sql.query", parameters)["rows"]

    child = os.fork()
    if child == 0:
        found = None
        try:
            found = perform("sql.query", parameters)["rows"]
        finally:
            os._exit(0 if found and found != before else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert perform("sql.query", parameters)["rows"] == before


CANARY = "s3cret-canary"


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        ({"dsn": f"postgresql://ada:{CANARY}@h/db"}, "dsn_env"),
        ({"dsn": f"postgresql://ada@h/db?password={CANARY}"}, "dsn_env"),
        ({"dsn_env": "BROKEN_DSN"}, "must begin with postgresql://"),
        ({"dsn_env": "MISSING_DSN"}, "lacks MISSING_DSN"),
        ({"dsn": "mysql://h/db"}, "must begin with postgresql://"),
        ({"dsn": "postgresql://h/db", "dsn_env": "X"}, "either dsn or dsn_env"),
        ({}, "either dsn or dsn_env"),
        ({"base_url": "https://h"}, "no database"),
        ({"dsn": "postgresql://h/db", "read_only": "yes"}, "true or false"),
        ({"dsn": "sqlite:///../outside/x.db"}, "'..'"),
        ({"dsn": "sqlite:////etc/x.db"}, "below the folder"),
        ({"dsn": "sqlite://"}, "path of a file"),
        ({"dsn": "sqlite:///:memory:"}, "path of a file"),
        ("postgresql://h/db", "mapping"),
    ],
)
def test_a_connection_that_is_not_set_up_rightly_says_why_and_no_password(
    settings: Any, refusal: Refusal, monkeypatch: Any, file_root: Path, definition: Any, said: str
) -> None:
    monkeypatch.setenv("BROKEN_DSN", f"postgres ada:{CANARY}@h/db")
    settings.ORCHESTRATOR_CONNECTIONS = {"sales": definition}

    error = refusal("sql.query", {"connection": "sales", "sql": "SELECT 1"})

    assert (error.code, error.recoverable) == ("CONNECTION_INVALID", False)
    assert said in error.message
    assert CANARY not in f"{error.message} {error.details} {error.__cause__}"


def test_an_unknown_connection_is_named(refusal: Refusal) -> None:
    error = refusal("sql.query", {"connection": "nobody", "sql": "SELECT 1"})

    assert (error.code, error.recoverable) == ("UNKNOWN_CONNECTION", False)
    assert "nobody" in error.message


def test_sqlite_answers_the_same_way(sqlite: Path, perform: Perform) -> None:
    perform("sql.execute", {"connection": "notes", "sql": "CREATE TABLE t (id INTEGER PRIMARY KEY, raw BLOB, x REAL)"})
    perform(
        "sql.execute",
        {"connection": "notes", "sql": "INSERT INTO t VALUES (:id, x'00ff', 1.5)", "params": [{"id": 1}, {"id": 2}]},
    )

    first = perform(
        "sql.query", {"connection": "notes_ro", "sql": "SELECT * FROM t", "max_rows": 1, "after": {"id": None}}
    )
    then = perform("sql.query", {"connection": "notes_ro", "sql": "SELECT * FROM t", "after": first["next"]})

    assert first["rows"] == [{"id": 1, "raw": {"base64": "AP8="}, "x": 1.5}]
    assert ([row["id"] for row in then["rows"]], then["next"]) == ([2], None)


@pytest.mark.parametrize(
    ("activity", "sql", "code"),
    [
        ("sql.query", "DELETE FROM t RETURNING a", "READ_ONLY"),
        ("sql.query", "PRAGMA database_list", "SQL_NOT_ALLOWED"),
        ("sql.query", "SELECT load_extension('x')", "QUERY_EXECUTION_FAILED"),
        ("sql.query", "SELECT 1; SELECT 2", "SQL_NOT_ALLOWED"),
        ("sql.execute", "ATTACH DATABASE 'other.db' AS other", "SQL_NOT_ALLOWED"),
        ("sql.execute", "VACUUM INTO 'other.db'", "SQL_NOT_ALLOWED"),
        ("sql.execute", "PRAGMA temp_store_directory = '/tmp'", "SQL_NOT_ALLOWED"),
        ("sql.execute", "PRAGMA writable_schema = 1", "SQL_NOT_ALLOWED"),
    ],
)
def test_a_statement_of_sqlite_reaches_no_other_file(
    sqlite: Path, perform: Perform, refusal: Refusal, activity: str, sql: str, code: str
) -> None:
    perform("sql.execute", {"connection": "notes", "sql": "CREATE TABLE t (a)"})
    perform("sql.execute", {"connection": "notes", "sql": "INSERT INTO t VALUES (1)"})

    error = refusal(activity, {"connection": "notes", "sql": sql})

    assert (error.code, error.recoverable) == (code, False)
    assert sorted(path.name for path in sqlite.parent.iterdir()) == ["notes.db"]
    assert perform("sql.query", {"connection": "notes", "sql": "SELECT a FROM t"})["rows"] == [{"a": 1}]


def test_a_long_statement_of_sqlite_is_interrupted(sqlite: Path, perform: Perform, refusal: Refusal) -> None:
    perform("sql.execute", {"connection": "notes", "sql": "CREATE TABLE t (a)"})
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS c FROM n"

    error = refusal("sql.query", {"connection": "notes", "sql": endless}, deadline_seconds=0.3)

    assert error.code == "QUERY_TIMEOUT"


def test_a_sqlite_file_behind_a_link_is_refused(sqlite: Path, refusal: Refusal) -> None:
    sqlite.symlink_to(sqlite.parent.parent / "outside" / "other.db")

    error = refusal("sql.execute", {"connection": "notes", "sql": "CREATE TABLE t (a)"})

    assert error.code == "PATH_NOT_ALLOWED"
    assert not (sqlite.parent.parent / "outside" / "other.db").exists()
