"""A command, then a query until the view shows what the command did: the example of commands and queries kept apart."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from examples.file_root import CHECKOUT
from examples.json_server import Answer
from examples.read_model.order_book import OrderBook
from tests.integration.examples.conftest import Driver
from tests.integration.working import make_worker
from workflows_app.services import service_registry

FOLDER = CHECKOUT / "examples" / "read_model"


@pytest.fixture
def worker(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """A worker whose calls are on record."""
    return make_worker(monkeypatch)


@pytest.fixture
def placing(worker: Driver, serve: Callable[[str, Answer], None]) -> Callable[[OrderBook], dict]:
    """Run the workflow against an order book; return the view of the instance."""

    def run(book: OrderBook) -> dict:
        serve("order-book", book.answer)
        service_registry.register(text=(FOLDER / "service.yaml").read_text(), actor="ada")
        return worker.run(worker.start((FOLDER / "placing.yaml").read_text(), {"order": "A-1"}))

    return run


def test_the_workflow_ends_when_the_view_shows_what_the_command_did(placing: Callable[[OrderBook], dict]) -> None:
    ended = placing(OrderBook(behind=2))

    assert ended["state"] == "completed"
    assert ended["output"] == {"order": {"order": "A-1", "state": "placed", "version": 1}}
    assert [(call["operation"], call["kind"], call["status"]) for call in ended["calls"]] == [
        ("place", "command", 200),
        *[("look", "query", 404)] * 2,
        ("look", "query", 200),
    ]
    assert [effect["facts"]["operation"] for effect in ended["effects"]] == ["place"]


def test_an_order_that_nobody_ever_sees_is_withdrawn(placing: Callable[[OrderBook], dict]) -> None:
    book = OrderBook(behind=100)

    ended = placing(book)

    assert ended["state"] == "compensated"
    assert book.book["A-1"]["state"] == "withdrawn"
    assert len([call for call in ended["calls"] if call["kind"] == "query"]) == 20
