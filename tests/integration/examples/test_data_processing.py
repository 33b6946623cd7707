"""The example data-processing for real: both databases, its service over HTTP, mails; every history must replay."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from examples.data_processing import profiles, seed
from examples.file_root import CHECKOUT
from examples.json_server import Answer, RefusalError, Request
from tests.integration.driver import Driver
from tests.integration.performing import perform
from workflows_app.services import sweep
from workflows_app.services.steps import Claim

DOCUMENT = (CHECKOUT / "examples" / "data_processing" / "workflow.yaml").read_text(encoding="utf-8")
LARGE, SMALL = {"day": seed.LARGE_DAY, "tell": "ada@example.com"}, {"day": seed.SMALL_DAY}


@pytest.fixture
def folder(root: Path, serve: Callable[[str, Answer], None]) -> Path:
    serve("example_profiles", profiles.answer)
    return seed.seed(root)


def warehouse(folder: Path, sql: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(folder / "warehouse.db")) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute(sql)]


def sound(day: str) -> set[int]:
    faulty = {number for number in seed.FAULTS if number < seed.ORDERS_OF[day]}
    return {order["id"] for number, order in enumerate(seed.orders(day)) if number not in faulty}


def test_a_large_day_is_loaded_in_batches_and_what_was_refused_is_kept(
    worker: Driver, folder: Path, mailoutbox: list[Any]
) -> None:
    view = worker.run(worker.start(DOCUMENT, LARGE))

    assert view["state"] == "completed", view["error"]
    assert view["output"] == {"read": 240, "loaded": 232, "rejected": 8, "way": "batches"}
    assert {row["id"] for row in warehouse(folder, "SELECT id FROM orders")} == sound(seed.LARGE_DAY)
    assert [call for call, _ in worker.calls if "load_batch" in call] == [f"batches[{n}].load_batch" for n in range(5)]
    (mail,) = mailoutbox
    assert (mail.to, mail.subject) == (["ada@example.com"], "Orders of 2026-03-01: 232 loaded, 8 refused")


def test_orders_reach_the_warehouse_in_its_form(worker: Driver, folder: Path) -> None:
    worker.run(worker.start(DOCUMENT, LARGE))

    loaded = {row["id"]: row for row in warehouse(folder, "SELECT * FROM orders")}
    assert loaded[1001] == {
        "id": 1001, "user_id": "u001", "name": "BJÖRN COSTA", "ordered_at": "2026-03-01 01:07:00",
        "address": "Hauptstraße 2, 10115, Berlin, DE", "amount": 50.75,
        "segment": profiles.profile("u001")["segment"], "rating": profiles.profile("u001")["rating"],
    }  # fmt: skip
    assert loaded[1004]["address"] == "00184, Roma, IT"
    assert (loaded[1009]["user_id"], loaded[1009]["segment"], loaded[1009]["rating"]) == ("u009", None, None)


def test_every_refused_order_stands_there_with_its_reasons(worker: Driver, folder: Path) -> None:
    view = worker.run(worker.start(DOCUMENT, LARGE))

    rejected = {row["id"]: row for row in warehouse(folder, "SELECT * FROM rejected_orders")}
    assert set(rejected) == {1000 + number for number in seed.FAULTS}
    assert {row["run"] for row in rejected.values()} == {f"{view['id']}:keep_rejected:0"}
    fields = {order: {said.split()[0] for said in json.loads(row["problems"])} for order, row in rejected.items()}
    assert fields[1019] == {"user_id", "amount"}
    assert fields[1042] == fields[1077] == {"ordered_at"}
    assert fields[1101] == fields[1150] == fields[1151] == {"amount"}
    assert json.loads(rejected[1042]["record"])["ordered_at"] == "yesterday"


def test_a_small_day_is_loaded_at_once(worker: Driver, folder: Path) -> None:
    view = worker.run(worker.start(DOCUMENT, SMALL))

    assert view["output"] == {"read": 60, "loaded": 57, "rejected": 3, "way": "direct"}
    assert {row["id"] for row in warehouse(folder, "SELECT id FROM orders")} == sound(seed.SMALL_DAY)
    assert view["steps"]["batches"] == "skipped"


def test_a_day_without_orders_loads_nothing(worker: Driver, folder: Path) -> None:
    view = worker.run(worker.start(DOCUMENT, {"day": "2026-03-09"}))

    assert view["output"] == {"read": 0, "loaded": 0, "rejected": 0, "way": "direct"}
    assert view["steps"]["keep_rejected"] == "skipped"


def test_a_day_run_again_changes_the_rows_and_doubles_none(worker: Driver, folder: Path) -> None:
    worker.run(worker.start(DOCUMENT, SMALL))
    with closing(sqlite3.connect(folder / "orders.db")) as shop, shop:
        shop.execute("UPDATE orders SET amount = 77 WHERE id = 2001")

    worker.run(worker.start(DOCUMENT, SMALL))

    rows = {row["id"]: row["amount"] for row in warehouse(folder, "SELECT id, amount FROM orders")}
    assert (len(rows), rows[2001]) == (57, 77)
    refused_in = Counter(row["run"] for row in warehouse(folder, "SELECT run FROM rejected_orders"))
    assert list(refused_in.values()) == [3, 3]


@pytest.mark.parametrize("lost", ["keep_rejected", "direct"])
def test_a_load_whose_worker_died_before_it_reported_is_done_again_and_doubles_nothing(
    worker: Driver, folder: Path, lost: str
) -> None:
    instance = worker.start(DOCUMENT, SMALL)
    while (claim := worker.claim_next(instance.pk)) is not None and claim.path != lost:
        worker.work(claim)

    perform(claim)  # the rows are there, and nobody knows
    worker.advance(9)
    assert sweep.end_overdue_attempts() == (1, 0)
    view = worker.run(instance)

    assert view["output"] == {"read": 60, "loaded": 57, "rejected": 3, "way": "direct"}
    assert len(warehouse(folder, "SELECT id FROM orders")) == 57
    assert len(warehouse(folder, "SELECT id FROM rejected_orders")) == 3


def test_a_service_that_comes_back_is_asked_again(
    worker: Driver, folder: Path, serve: Callable[[str, Answer], None]
) -> None:
    asked = []

    def stumbling(request: Request) -> Any:
        asked.append(worker.now)
        if len(asked) < 3:
            raise RefusalError(503, "BUSY", "Later.")
        return profiles.answer(request)

    serve("example_profiles", stumbling)

    view = worker.run(worker.start(DOCUMENT, SMALL))

    assert view["state"] == "completed", view["error"]
    first, second = ((later - earlier).total_seconds() for earlier, later in pairwise(asked))
    assert 4.5 <= first <= 5.5
    assert 9 <= second <= 11


def test_a_service_that_stays_away_fails_the_run_before_anything_is_loaded(
    worker: Driver, folder: Path, serve: Callable[[str, Answer], None]
) -> None:
    def closed(request: Request) -> Any:
        raise RefusalError(503, "CLOSED", "We are closed.")

    serve("example_profiles", closed)

    view = worker.run(worker.start(DOCUMENT, LARGE))

    assert (view["state"], view["error"]["code"]) == ("failed", "HTTP_ERROR")
    assert [path for path, _ in worker.calls].count("ask_profiles") == 3
    assert warehouse(folder, "SELECT id FROM orders") == []
    assert len(warehouse(folder, "SELECT id FROM rejected_orders")) == 8


def test_a_day_that_does_not_fit_is_refused_whole(worker: Driver, folder: Path) -> None:
    with closing(sqlite3.connect(folder / "orders.db")) as shop, shop:
        shop.executemany("INSERT INTO orders (day) VALUES (?)", [(seed.SMALL_DAY,)] * 2_000)

    view = worker.run(worker.start(DOCUMENT, SMALL))

    assert (view["state"], view["error"]["code"]) == ("failed", "TOO_MANY_RECORDS")
    assert warehouse(folder, "SELECT id FROM rejected_orders") == []


def test_a_mail_that_cannot_be_sent_does_not_undo_the_day(worker: Driver, folder: Path) -> None:
    def unsent(claim: Claim) -> Any:
        raise OSError("no server")

    worker.perform["notify"] = unsent  # type: ignore[index]

    view = worker.run(worker.start(DOCUMENT, SMALL))

    assert (view["state"], view["steps"]["notify"]) == ("completed", "failed")
    assert len(warehouse(folder, "SELECT id FROM orders")) == 57
