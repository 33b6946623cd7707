"""The example data-etl for real, into SQLite as its README has it and into PostgreSQL; every history must replay."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from examples.data_etl import seed
from examples.file_root import CHECKOUT
from tests.integration.driver import Driver
from tests.integration.performing import perform
from workflows_app.services import sweep

DOCUMENT = (CHECKOUT / "examples" / "data_etl" / "workflow.yaml").read_text(encoding="utf-8")
Ask = Callable[[str], list[tuple[Any, ...]]]
FEW = 260
two_pages = pytest.mark.parametrize("events", [2_600])
"""More events than fit into a page, and into two batches."""


def _in_sqlite(request: pytest.FixtureRequest, root: Path) -> Iterator[Ask]:
    with closing(sqlite3.connect(root / seed.FOLDER / "analysis.db", isolation_level=None)) as database:
        yield lambda sql: database.execute(sql).fetchall()


def _in_postgres(request: pytest.FixtureRequest, root: Path) -> Iterator[Ask]:
    url = request.getfixturevalue("database_url")
    request.getfixturevalue("monkeypatch").setenv("ANALYSIS_DSN", url)
    settings = request.getfixturevalue("settings")
    settings.ORCHESTRATOR_CONNECTIONS = settings.ORCHESTRATOR_CONNECTIONS | {
        "example_analysis": {"dsn_env": "ANALYSIS_DSN"}
    }
    database = psycopg2.connect(url)
    database.autocommit = True

    def ask(sql: str) -> list[tuple[Any, ...]]:
        with database.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    ask(seed.ANALYSIS)
    yield ask
    database.close()


@pytest.fixture
def events() -> int:
    """How many events the log has: one page of them."""
    return FEW


@pytest.fixture(params=[_in_sqlite, _in_postgres], ids=["sqlite", "postgresql"])
def ask(request: pytest.FixtureRequest, root: Path, events: int) -> Iterator[Ask]:
    """Asks the table for analysis."""
    seed.seed(root, events=events)
    yield from request.param(request, root)


def run(worker: Driver, **input: Any) -> dict[str, Any]:
    return worker.run(worker.start(DOCUMENT, input))


def expected(events: int) -> tuple[int, int]:
    refused = sum(1 for number in range(1, events + 1) if seed.fault(number))
    return events - refused, refused


def counted(ask: Ask) -> tuple[int, int]:
    ((sound, all_),) = ask("SELECT sum(CASE WHEN rejected IS NULL THEN 1 ELSE 0 END), count(*) FROM events_processed")
    return sound, all_ - sound


@two_pages
def test_a_first_run_loads_everything_page_after_page(worker: Driver, ask: Ask) -> None:
    view = run(worker)

    assert view["state"] == "completed", view["error"]
    sound, refused = expected(2_600)
    assert view["output"] == {"after": 0, "loaded": sound, "rejected": refused}
    assert counted(ask) == (sound, refused)
    assert [path for path, _ in worker.calls if "extract" in path] == ["pages[0].extract", "pages[1].extract"]


def test_times_are_in_utc_and_the_place_is_added(worker: Driver, ask: Ask) -> None:
    run(worker)

    assert seed.event(3)["happened_at"] == "2026-03-01T09:01:51+09:00"
    assert ask("SELECT happened_at, place, city, country, latitude FROM events_processed WHERE seq = 3") == [
        ("2026-03-01T00:01:51Z", "TYO", "Tokyo", "JP", 35.69)
    ]


def test_refused_events_are_kept_with_the_reason(worker: Driver, ask: Ask) -> None:
    run(worker)

    kept = {seq: told if isinstance(told, dict) else json.loads(told) for seq, told in ask(
        "SELECT seq, rejected FROM events_processed WHERE rejected IS NOT NULL ORDER BY seq"
    )}  # fmt: skip
    assert list(kept) == [number for number in range(1, FEW + 1) if seed.fault(number)]
    assert kept[49]["problems"] == ["place is no place that we know"]
    assert kept[49]["event"]["place"] == "XXX"


def test_the_next_run_takes_what_came_since_and_nothing_else(worker: Driver, ask: Ask, root: Path) -> None:
    run(worker)
    ask("UPDATE events_processed SET kind = 'seen' WHERE seq <= 260")
    seed.add(root, 300)

    view = run(worker)

    before, after = expected(FEW), expected(FEW + 300)
    assert view["output"] == {"after": FEW, "loaded": after[0] - before[0], "rejected": after[1] - before[1]}
    assert counted(ask) == after
    assert ask("SELECT count(*) FROM events_processed WHERE kind = 'seen'") == [(FEW,)]


def test_a_run_without_news_changes_nothing(worker: Driver, ask: Ask) -> None:
    run(worker)

    view = run(worker)

    assert view["output"] == {"after": FEW, "loaded": 0, "rejected": 0}
    assert counted(ask) == expected(FEW)


def test_refused_events_at_the_end_are_not_read_again_for_ever(worker: Driver, ask: Ask, root: Path) -> None:
    run(worker)
    with closing(sqlite3.connect(root / seed.FOLDER / "source.db")) as log, log:
        log.executemany("INSERT INTO events (place) VALUES (?)", [("XXX",)] * 50)

    first, second = run(worker, page_size=20), run(worker, page_size=20)

    assert first["output"] == {"after": FEW, "loaded": 0, "rejected": 50}
    assert second["output"] == {"after": FEW + 50, "loaded": 0, "rejected": 0}


@two_pages
def test_a_load_whose_worker_died_before_it_reported_is_done_again_and_changes_nothing(
    worker: Driver, ask: Ask
) -> None:
    instance = worker.start(DOCUMENT, {})
    while (claim := worker.claim_next(instance.pk)) is not None and claim.path != "pages[0].load":
        worker.work(claim)

    perform(claim)  # the rows are there, and nobody knows
    once = ask("SELECT * FROM events_processed ORDER BY seq")
    assert perform(claim)["loaded"] == 2_000
    assert ask("SELECT * FROM events_processed ORDER BY seq") == once
    worker.advance(9)
    assert sweep.end_overdue_attempts() == (1, 0)
    view = worker.run(instance)

    assert view["output"] == {"after": 0, "loaded": expected(2_600)[0], "rejected": expected(2_600)[1]}
    assert counted(ask) == expected(2_600)


@two_pages
def test_a_run_that_dies_between_two_batches_is_made_up_for_by_the_next(worker: Driver, ask: Ask) -> None:
    # The table refuses event 1,500: the first thousand is committed, the second is not.
    ask("CREATE UNIQUE INDEX once ON events_processed (event_id) WHERE event_id = 'e-001500'")
    ask("INSERT INTO events_processed (seq, event_id) VALUES (-1, 'e-001500')")
    broken = run(worker)
    assert (broken["state"], broken["error"]["code"]) == ("failed", "QUERY_EXECUTION_FAILED")
    assert ask("SELECT count(*), max(seq) FROM events_processed WHERE seq > 0") == [(1_000, 1_000)]
    ask("DELETE FROM events_processed WHERE seq = -1")

    view = run(worker)

    assert view["output"]["after"] == 1_000
    assert counted(ask) == expected(2_600)


@two_pages
def test_two_runs_at_once_lose_and_double_nothing(worker: Driver, ask: Ask) -> None:
    slow = worker.start(DOCUMENT, {})
    while (claim := worker.claim_next(slow.pk)) is not None and claim.path != "pages[0].load":
        worker.work(claim)

    quick = run(worker)
    worker.work(claim)
    view = worker.run(slow)

    assert (quick["state"], view["state"]) == ("completed", "completed")
    assert counted(ask) == expected(2_600)


def test_a_missing_file_of_places_fails_the_run_before_anything_is_read(worker: Driver, ask: Ask, root: Path) -> None:
    (root / seed.FOLDER / "places.csv").unlink()

    view = run(worker)

    assert (view["state"], view["error"]["code"]) == ("failed", "FILE_NOT_FOUND")
    assert [path for path, _ in worker.calls] == ["places"]
    assert ask("SELECT * FROM events_processed") == []


def test_the_seed_is_a_command_that_appends_and_says_so(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_FILE_ROOT", str(root))

    codes = [seed.main(["--add", "1"]), seed.main([]), seed.main(["--add", "300"])]

    told = capsys.readouterr()
    assert codes == [1, 0, 0]
    assert "run it without --add first" in told.err
    assert told.out.endswith("the log has 4800 events\n")
