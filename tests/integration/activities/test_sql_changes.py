"""sql.execute and sql.load: what they change, what a repetition changes, and what an error says of its effect."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.activities.databases import TABLES, Postgres
from tests.services.processes import PATIENCE
from workflows_app.activities import ActivityError, AttemptCancelled

Perform = Callable[..., Any]
Refusal = Callable[..., ActivityError]

TEA = {"id": 1, "name": "tea", "price": 3.5}
RICE = {"id": 2, "name": "rice", "price": 2}


def load(**parameters: Any) -> dict[str, Any]:
    return {"connection": "sales", "table": "items", **parameters}


def test_a_statement_runs_once_for_each_set_of_parameters(postgres: Postgres, perform: Perform) -> None:
    sql = "INSERT INTO items VALUES (:id, :name, :price)"

    result = perform("sql.execute", {"connection": "sales", "sql": sql, "params": [TEA, RICE]})
    changed = perform("sql.execute", {"connection": "sales", "sql": "UPDATE items SET price = 1"})

    assert (result, changed) == ({"row_count": 2}, {"row_count": 2})
    assert postgres.run("SELECT id, name FROM items ORDER BY id") == [(1, "tea"), (2, "rice")]


def test_all_sets_of_parameters_count_or_none(postgres: Postgres, refusal: Refusal) -> None:
    sql = "INSERT INTO items (id, name) VALUES (:id, :name)"
    twice = [{"id": 1, "name": "tea"}, {"id": 1, "name": "rice"}]

    error = refusal("sql.execute", {"connection": "sales", "sql": sql, "params": twice})

    assert (error.code, error.recoverable) == ("QUERY_EXECUTION_FAILED", False)
    assert (error.details["sqlstate"], error.details["constraint"]) == ("23505", "items_pkey")
    assert "effect" not in error.details
    assert postgres.run("SELECT * FROM items") == []


def test_a_list_binds_an_array_and_a_mapping_json(postgres: Postgres, perform: Perform) -> None:
    postgres.run("CREATE TABLE docs (doc jsonb, tags text[])")
    sql = "INSERT INTO docs VALUES (:doc, :tags)"

    perform("sql.execute", {"connection": "sales", "sql": sql, "params": {"doc": {"a": [1]}, "tags": ["x", "y"]}})

    assert postgres.run("SELECT doc, tags FROM docs") == [({"a": [1]}, ["x", "y"])]


@pytest.mark.parametrize(
    ("activity", "parameters"),
    [("sql.execute", {"sql": "DELETE FROM items"}), ("sql.load", {"table": "items", "rows": [TEA], "mode": "replace"})],
)
def test_a_connection_for_reading_changes_nothing(
    postgres: Postgres, refusal: Refusal, activity: str, parameters: dict[str, Any]
) -> None:
    postgres.run("INSERT INTO items VALUES (7, 'salt', 1)")

    error = refusal(activity, {"connection": "reports", **parameters})

    assert (error.code, error.recoverable) == ("READ_ONLY", False)
    assert postgres.run("SELECT id FROM items") == [(7,)]


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03"])
def test_what_may_pass_by_itself_is_recoverable(postgres: Postgres, refusal: Refusal, state: str) -> None:
    sql = f"DO $$ BEGIN RAISE EXCEPTION 'no luck' USING ERRCODE = '{state}'; END $$"

    error = refusal("sql.execute", {"connection": "sales", "sql": sql})

    assert (error.code, error.recoverable, error.details["sqlstate"]) == ("QUERY_EXECUTION_FAILED", True, state)


def test_a_connection_lost_during_the_commit_has_an_unknown_effect(postgres: Postgres, refusal: Refusal) -> None:
    postgres.run(
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); RETURN NULL; END'"
    )
    postgres.run(
        "CREATE CONSTRAINT TRIGGER dies AFTER INSERT ON items DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION die()"
    )
    sql = "INSERT INTO items VALUES (1, 'tea', 3)"

    error = refusal("sql.execute", {"connection": "sales", "sql": sql})

    assert (error.code, error.recoverable, error.details["effect"]) == ("CONNECTION_FAILED", True, "unknown")


def test_a_stop_leaves_nothing_changed(postgres: Postgres, perform: Perform) -> None:
    looks = iter([False] * 4)
    sql = "INSERT INTO items (id, name) VALUES (:id, 'x')"

    with pytest.raises(AttemptCancelled):
        perform(
            "sql.execute",
            {"connection": "sales", "sql": sql, "params": [{"id": number} for number in range(50)]},
            stop_requested=lambda: next(looks, True),
        )

    assert postgres.run("SELECT * FROM items") == []


def test_rows_without_end_pass_from_a_query_in_bounded_memory(postgres: Postgres, perform: Perform) -> None:
    query = "SELECT n AS id, repeat('x', 5000) AS name, n AS price FROM generate_series(1, :most) AS n"
    few = load(from_query={"connection": "reports", "sql": query, "params": {"most": 1_000}}, mode="replace")
    many = load(
        from_query={"connection": "reports", "sql": query, "params": {"most": 10_000}}, mode="upsert", key=["id"]
    )
    perform("sql.load", few)

    tracemalloc.start()
    try:
        result = perform("sql.load", many)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert result == {"loaded": 10_000, "skipped": 0, "batches": 20}
    assert postgres.run("SELECT count(*), sum(id), min(length(name)) FROM items") == [(10_000, 50_005_000, 5000)]
    assert peak < 10_000_000  # 50 MB pass through


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"mode": "upsert", "key": ["id"]}, {"loaded": 2, "skipped": 0, "batches": 1}),
        ({"mode": "insert", "key": ["id"]}, {"loaded": 0, "skipped": 2, "batches": 1}),
        ({"mode": "replace"}, {"loaded": 2, "skipped": 0, "batches": 1}),
    ],
)
def test_doing_it_again_changes_nothing_more(
    postgres: Postgres, perform: Perform, options: dict[str, Any], expected: dict[str, int]
) -> None:
    first = perform("sql.load", load(rows=[TEA, RICE], **options))
    again = perform("sql.load", load(rows=[TEA, RICE], **options), attempt=2)

    assert (first["loaded"], again) == (2, expected)
    assert postgres.run("SELECT id, name, price::float FROM items ORDER BY id") == [(1, "tea", 3.5), (2, "rice", 2.0)]


def test_a_marker_makes_rows_without_a_key_repeatable(postgres: Postgres, perform: Perform) -> None:
    parameters = load(table="log", rows=[{"line": "a"}, {"line": "a"}], marker="marker")
    perform("sql.load", parameters, idempotency_key="other:step:0")

    perform("sql.load", parameters)
    perform("sql.load", parameters, attempt=2)

    assert postgres.run("SELECT marker, count(*) FROM log GROUP BY marker ORDER BY marker") == [
        ("i-1:pay:0", 2),
        ("other:step:0", 2),
    ]


def test_two_attempts_at_once_leave_the_rows_of_one(postgres: Postgres, perform: Perform) -> None:
    rows = [{"line": str(number), "marker": None} for number in range(200)]
    begun = threading.Barrier(3)

    def attempt() -> None:
        begun.wait(PATIENCE)
        perform("sql.load", load(table="log", rows=rows, mode="replace", batch_size=20))

    threads = [threading.Thread(target=attempt) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert postgres.run("SELECT count(*) FROM log") == [(200,)]


def test_an_upsert_takes_the_last_of_rows_with_one_key(postgres: Postgres, perform: Perform) -> None:
    postgres.run("INSERT INTO items VALUES (1, 'old', 9)")

    result = perform("sql.load", load(rows=[TEA, RICE, TEA | {"name": "green tea"}], mode="upsert", key=["id"]))

    assert result == {"loaded": 2, "skipped": 1, "batches": 1}
    assert postgres.run("SELECT id, name FROM items ORDER BY id") == [(1, "green tea"), (2, "rice")]


def test_a_failed_replacement_leaves_the_old_rows(postgres: Postgres, refusal: Refusal) -> None:
    postgres.run("INSERT INTO items VALUES (7, 'salt', 1)")

    error = refusal("sql.load", load(rows=[TEA, RICE, TEA], mode="replace", batch_size=1))

    assert (error.code, error.recoverable, error.details["sqlstate"]) == ("QUERY_EXECUTION_FAILED", False, "23505")
    assert "effect" not in error.details
    assert postgres.run("SELECT id FROM items") == [(7,)]


def test_a_load_that_fails_half_way_says_what_was_committed(postgres: Postgres, refusal: Refusal) -> None:
    error = refusal("sql.load", load(rows=[TEA, RICE, {"id": 3, "name": None, "price": 1}], batch_size=1))

    assert error.details["sqlstate"] == "23502"
    assert (error.details["effect"], error.details["loaded"], error.details["batches"]) == ("unknown", 2, 2)
    assert postgres.run("SELECT count(*) FROM items") == [(2,)]


def test_names_of_tables_and_columns_are_quoted(postgres: Postgres, perform: Perform) -> None:
    postgres.run('CREATE SCHEMA "odd one"')
    postgres.run('CREATE TABLE "odd one"."Order 100%" ("a""b" int PRIMARY KEY, "select" text, ":c" text)')
    row = {'a"b': 1, "select": "x", ":c": "y"}

    for mode, key in (("upsert", ['a"b']), ("replace", None)):
        perform("sql.load", load(table="odd one.Order 100%", rows=[row], mode=mode, key=key))

    assert postgres.run('SELECT * FROM "odd one"."Order 100%"') == [(1, "x", "y")]


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"table": "items; DROP TABLE items", "rows": [TEA]}, "UNKNOWN_TABLE"),
        ({"table": 'items" --', "rows": [TEA]}, "UNKNOWN_TABLE"),
        ({"rows": [{'id") VALUES (1); DROP TABLE items; --': 1}]}, "UNKNOWN_COLUMN"),
        ({"rows": [TEA], "mode": "upsert", "key": ["id) DO NOTHING; --"]}, "INVALID_PARAMETERS"),
        ({"rows": [TEA], "marker": "x; --"}, "UNKNOWN_COLUMN"),
        ({"rows": [TEA], "mode": "upsert"}, "INVALID_PARAMETERS"),
        ({"rows": [TEA], "mode": "replace", "key": ["id"]}, "INVALID_PARAMETERS"),
        ({"rows": [TEA, {"id": 2}]}, "INVALID_PARAMETERS"),
        ({}, "INVALID_PARAMETERS"),
        ({"from_query": {"connection": "sales", "sql": "SELECT 1; SELECT 2"}}, "SQL_NOT_ALLOWED"),
        ({"from_query": {"connection": "sales", "sql": "DELETE FROM items"}}, "QUERY_EXECUTION_FAILED"),
        ({"from_query": {"connection": "sales", "sql": " "}}, "MISSING_QUERY"),
        ({"from_query": {"connection": "nobody", "sql": "SELECT 1"}}, "UNKNOWN_CONNECTION"),
    ],
)
def test_what_is_wrong_with_a_load_changes_nothing(
    postgres: Postgres, refusal: Refusal, parameters: dict[str, Any], code: str
) -> None:
    postgres.run("INSERT INTO items VALUES (7, 'salt', 1)")

    error = refusal("sql.load", load(**parameters))

    assert (error.code, error.recoverable) == (code, False)
    assert postgres.run("SELECT id FROM items") == [(7,)]


@pytest.mark.parametrize("name", ["'; DROP TABLE items; --", "\\'); DROP TABLE items; --", "%(name)s %s :name"])
def test_a_loaded_value_is_a_value_whatever_it_says(postgres: Postgres, perform: Perform, name: str) -> None:
    perform("sql.load", load(rows=[TEA | {"name": name}], mode="upsert", key=["id"]))

    assert postgres.run("SELECT name FROM items") == [(name,)]


def test_json_columns_take_any_json(postgres: Postgres, perform: Perform) -> None:
    postgres.run("CREATE TABLE docs (id int, doc jsonb)")
    docs = [{"a": 1}, [1, 2], "text", 7, None]

    perform("sql.load", load(table="docs", rows=[{"id": number, "doc": doc} for number, doc in enumerate(docs)]))

    assert [row[0] for row in postgres.run("SELECT doc FROM docs ORDER BY id")] == docs


def test_rows_go_from_postgres_to_sqlite_and_back(postgres: Postgres, sqlite: Path, perform: Perform) -> None:
    postgres.run("INSERT INTO items VALUES (1, 'tea', 3.5), (2, 'rice', 2)")
    for statement in TABLES.split(";")[:2]:
        perform("sql.execute", {"connection": "notes", "sql": statement})
    there = {
        "connection": "notes",
        "table": "items",
        "from_query": {"connection": "sales", "sql": "SELECT * FROM items"},
    }
    back = load(from_query={"connection": "notes", "sql": "SELECT id + 10 AS id, name, price FROM items"})

    results = [
        perform("sql.load", there | {"mode": mode, "key": key, "batch_size": 1})
        for mode, key in (("insert", ["id"]), ("insert", ["id"]), ("upsert", ["id"]), ("replace", None))
    ]
    perform("sql.load", back)

    assert [result["loaded"] for result in results] == [2, 0, 2, 2]
    assert postgres.run("SELECT id, price::float FROM items WHERE id > 10 ORDER BY id") == [(11, 3.5), (12, 2.0)]


def test_a_sqlite_file_is_not_read_and_written_at_once(sqlite: Path, perform: Perform, refusal: Refusal) -> None:
    perform("sql.execute", {"connection": "notes", "sql": "CREATE TABLE t (a)"})
    query = {"connection": "notes_ro", "sql": "SELECT a FROM t"}

    error = refusal("sql.load", {"connection": "notes", "table": "t", "from_query": query})

    assert error.code == "INVALID_PARAMETERS"


@pytest.mark.parametrize("mode", ["insert", "replace"])
def test_a_source_that_is_lost_on_the_way_is_named_and_recoverable(
    postgres: Postgres, sqlite: Path, perform: Perform, refusal: Refusal, mode: str
) -> None:
    perform("sql.execute", {"connection": "notes", "sql": "CREATE TABLE t (a)"})
    perform("sql.execute", {"connection": "notes", "sql": "INSERT INTO t VALUES (0)"})
    dying = "CASE WHEN n > 1000 THEN pg_terminate_backend(pg_backend_pid())::int ELSE n END"
    query = {"connection": "sales", "sql": f"SELECT {dying} AS a FROM generate_series(1, 5000) AS n"}

    error = refusal("sql.load", {"connection": "notes", "table": "t", "from_query": query, "mode": mode})

    found = perform("sql.query", {"connection": "notes", "sql": "SELECT count(*) AS rows FROM t"})["rows"]
    assert (error.code, error.recoverable, error.details["connection"]) == ("CONNECTION_FAILED", True, "sales")
    assert (error.details.get("effect"), found) == (
        ("unknown", [{"rows": 1001}]) if mode == "insert" else (None, [{"rows": 1}])
    )


def test_a_text_that_postgres_cannot_hold_is_refused(
    postgres: Postgres, sqlite: Path, perform: Perform, refusal: Refusal
) -> None:
    perform("sql.execute", {"connection": "notes", "sql": "CREATE TABLE t (line)"})
    perform("sql.execute", {"connection": "notes", "sql": "INSERT INTO t VALUES ('a' || char(0))"})

    error = refusal("sql.load", load(table="log", from_query={"connection": "notes", "sql": "SELECT line FROM t"}))

    assert (error.code, error.recoverable) == ("QUERY_EXECUTION_FAILED", False)
    assert "NUL" in error.message
