"""sql.* and file.* as steps: rows that never pass through the workflow, errors, undo, and the guide's examples."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.activities.databases import Postgres
from tests.integration.docs.pages import DOCS, blocks
from tests.integration.driver import Driver
from tests.integration.engine.outcomes import flow
from workflows_app.activities import ActivityContext, registry
from workflows_app.services import definitions
from workflows_app.services.steps import Claim


class Registered(dict[str, Any]):
    """Performs every step with its registered activity."""

    def __init__(self, attempt: Callable[..., ActivityContext]) -> None:
        super().__init__()
        self._attempt = attempt

    def get(self, path: str, default: Any = None) -> Any:
        return self._perform

    def _perform(self, claim: Claim) -> Any:
        context = self._attempt(step=claim.path, attempt=claim.number, idempotency_key=claim.idempotency_key)
        return registry.get(claim.activity).perform(claim.parameters, context)


@pytest.fixture
def worker(driver: Driver, attempt: Callable[..., ActivityContext]) -> Driver:
    registry.discover()
    driver.perform = Registered(attempt)
    return driver


ETL = flow(
    """
  - id: extract
    activity: sql.load
    with:
      connection: sales
      table: items
      from_query:
        connection: reports
        sql: SELECT n AS id, 'item ' || n AS name FROM generate_series(1, :most) AS n
        params: {most: "${ input.most }"}
      mode: upsert
      key: [id]
  - id: change
    activity: sql.execute
    with: {connection: sales, sql: "UPDATE items SET price = id * 0.5 WHERE id <= :upto", params: {upto: 2}}
  - id: report
    activity: sql.query
    with: {connection: reports, sql: "SELECT id, price FROM items WHERE price IS NOT NULL ORDER BY id"}
""",
    head="""
output: {loaded: "${ steps.extract.output.loaded }", rows: "${ steps.report.output.rows }"}
""",
)


def test_rows_are_loaded_changed_and_read_without_passing_through_the_workflow(
    worker: Driver, postgres: Postgres
) -> None:
    view = worker.run(worker.start(ETL, {"most": 5_000}))

    assert view["state"] == "completed", view["error"]
    assert view["output"] == {"loaded": 5_000, "rows": [{"id": 1, "price": 0.5}, {"id": 2, "price": 1}]}
    assert postgres.run("SELECT count(*) FROM items") == [(5_000,)]


def test_a_load_that_failed_half_way_is_undone(worker: Driver, postgres: Postgres) -> None:
    document = flow("""
  - id: fill
    activity: sql.load
    with:
      connection: sales
      table: items
      batch_size: 1
      rows: [{id: 1, name: tea}, {id: 2, name: null}]
    compensate:
      activity: sql.execute
      with: {connection: sales, sql: "DELETE FROM items WHERE id IN (1, 2)"}
""")

    view = worker.run(worker.start(document))

    assert (view["state"], view["error"]["details"]["sqlstate"]) == ("compensated", "23502")
    assert worker.calls == [("fill", "action"), ("fill", "compensation")]
    assert postgres.run("SELECT * FROM items") == []


def test_no_password_reaches_the_history(worker: Driver, postgres: Postgres, settings: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("CLOSED_DSN", "postgresql://ada:s3cret-canary@127.0.0.1:1/sales")
    settings.ORCHESTRATOR_CONNECTIONS = {"closed": {"dsn_env": "CLOSED_DSN"}}
    document = flow("""
  - {id: ask, activity: sql.query, with: {connection: closed, sql: SELECT 1 AS a}}
""")

    view = worker.run(worker.start(document))

    assert view["error"]["code"] == "CONNECTION_FAILED"
    assert "s3cret-canary" not in json.dumps(view, default=str)


FILES = flow(
    """
  - id: write
    activity: file.write
    with: {path: in/orders.csv, format: csv, rows: "${ input.rows }", make_folders: true}
  - id: read
    activity: file.read
    with: {path: in/orders.csv, format: csv}
  - id: keep
    activity: file.copy
    with: {from: in/orders.csv, to: copies/orders.csv}
  - id: move
    activity: file.move
    with: {from: in/orders.csv, to: done/orders.csv}
  - id: look
    activity: file.list
    with: {recursive: true, pattern: "*.csv"}
  - id: clear
    activity: file.delete
    with: {path: copies/orders.csv}
""",
    head="""
output:
  rows: "${ steps.read.output.rows }"
  seen: "${ steps.look.output.files.map(f, f.path) }"
  same: "${ steps.write.output.sha256 == steps.keep.output.sha256 }"
""",
)


def test_a_file_goes_its_way_through_a_workflow(worker: Driver, file_root: Path) -> None:
    view = worker.run(worker.start(FILES, {"rows": [{"id": 1}, {"id": 2}]}))

    assert view["state"] == "completed", view["error"]
    assert view["output"] == {
        "rows": [{"id": "1"}, {"id": "2"}],
        "seen": ["copies/orders.csv", "done/orders.csv"],
        "same": True,
    }
    assert [str(path.relative_to(file_root)) for path in file_root.rglob("*.csv")] == ["done/orders.csv"]


def test_a_path_that_leaves_the_folder_fails_the_step_without_another_attempt(worker: Driver, file_root: Path) -> None:
    document = flow("""
  - id: read
    activity: file.read
    with: {path: "${ input.path }"}
    retry: {max_attempts: 5}
""")

    view = worker.run(worker.start(document, {"path": "../outside/secret.txt"}))

    assert view["error"]["code"] == "PATH_NOT_ALLOWED"
    assert worker.calls == [("read", "action")]


@pytest.mark.parametrize(
    ("step", "path", "code"),
    [
        ("{id: a, activity: sql.query, with: {connection: c}}", "steps[0].with.sql", "MISSING_REQUIRED_INPUT"),
        (
            "{id: a, activity: sql.load, with: {connection: c, table: t, mode: merge}}",
            "steps[0].with.mode",
            "INVALID_PARAMETER",
        ),
        ("{id: a, activity: file.read, with: {path: f, formt: csv}}", "steps[0].with.formt", "UNKNOWN_PARAMETER"),
        ("{id: a, activity: file.copy, with: {to: f}}", "steps[0].with.from", "MISSING_REQUIRED_INPUT"),
    ],
)
def test_a_misspelt_parameter_is_found_when_the_definition_is_validated(
    db: None, step: str, path: str, code: str
) -> None:
    registry.discover()

    found = definitions.validate(text=flow(f"  - {step}"))

    assert (code, path) in [(problem.code, problem.path) for problem in found]


def test_the_guides_example_of_sql_runs(worker: Driver, postgres: Postgres) -> None:
    postgres.run("CREATE SCHEMA mart; CREATE TABLE mart.totals (customer bigint PRIMARY KEY, total numeric)")
    postgres.run("CREATE TABLE orders (id bigint, customer bigint, amount numeric, placed date)")
    postgres.run(
        "INSERT INTO orders VALUES (1, 7, 2.5, '2026-03-01'), (2, 7, 3, '2026-03-02'), (3, 8, 9, '2025-01-01')"
    )

    view = worker.run(worker.start(_shown("sql.load")))

    assert view["state"] == "completed", view["error"]
    assert postgres.run("SELECT customer, total::float FROM mart.totals") == [(7, 5.5)]


def test_the_guides_example_of_files_runs(worker: Driver, file_root: Path) -> None:
    (file_root / "in").mkdir()
    (file_root / "in" / "orders.csv").write_text("id,amount\n1,20\n")

    view = worker.run(worker.start(_shown("file.read")))

    assert view["state"] == "completed", view["error"]
    assert (file_root / "done" / "orders.csv").exists()
    assert json.loads((file_root / "out" / "orders.json").read_text()) == [{"id": "1", "amount": "20"}]


def _shown(activity: str) -> str:
    (block,) = [b for b in blocks(DOCS / "guides" / "activities.md") if f"activity: {activity}\n" in b.text]
    return flow(textwrap.indent(block.text, "  "))
