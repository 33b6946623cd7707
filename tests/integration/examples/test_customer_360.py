"""The example customer-360 for real: sources over HTTP that are slow, broken or gone; every history must replay."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.customer_360.sources import SOURCES, Sources
from examples.file_root import CHECKOUT
from examples.json_server import Answer, RefusalError, Request
from tests.integration.driver import Driver
from workflows_app.services import sweep

DOCUMENT = (CHECKOUT / "examples" / "customer_360" / "workflow.yaml").read_text(encoding="utf-8")
OPTIONAL = {"orders", "tickets", "rating"}


@pytest.fixture
def sources(serve: Callable[[str, Answer], None]) -> Iterator[Sources]:
    """The sources; a slow one answers when the test is over."""
    over = threading.Event()
    sources = Sources(hold=lambda seconds: over.wait(30))
    serve("example_customers", sources)
    yield sources
    over.set()


def ask(worker: Driver, customer: str = "C-7") -> dict[str, Any]:
    return worker.run(worker.start(DOCUMENT, {"customer": customer}))


def missing(view: dict[str, Any]) -> dict[str, str]:
    return {each["source"]: each["code"] for each in view["output"]["missing"]}


def test_all_sources_make_a_complete_answer(worker: Driver, sources: Sources) -> None:
    view = ask(worker)

    assert view["state"] == "completed", view["error"]
    output = view["output"]
    assert (output["complete"], output["missing"], output["assumed"]) == (True, [], [])
    assert output["profile"]["name"] == "Customer 7"
    for source in ("contracts", "orders", "tickets", "loyalty"):
        assert output[source] == SOURCES[source](7)
    assert output["rating"]["agency"] in ("north", "south")


@pytest.mark.parametrize("source", ["orders", "tickets"])
def test_without_an_optional_source_the_answer_says_what_is_missing(
    worker: Driver, sources: Sources, source: str
) -> None:
    sources.troubles[source] = "broken"

    view = ask(worker)

    assert (view["state"], view["output"]["complete"]) == ("completed", False)
    assert missing(view) == {source: "HTTP_ERROR"}
    assert view["output"][source] is None
    assert view["output"]["profile"]["name"] == "Customer 7"
    assert sources.asked[source] == 2  # once more, as it might have stumbled


def test_without_any_optional_source_there_still_is_an_answer(worker: Driver, sources: Sources) -> None:
    sources.troubles |= dict.fromkeys(["orders", "tickets", "rating_north", "rating_south", "loyalty"], "broken")

    view = ask(worker)

    assert view["state"] == "completed", view["error"]
    assert missing(view) == {"orders": "HTTP_ERROR", "tickets": "HTTP_ERROR", "rating": "JOIN_UNREACHABLE"}
    assert view["output"]["contracts"] == SOURCES["contracts"](7)


def test_one_agency_is_enough(worker: Driver, sources: Sources) -> None:
    sources.troubles["rating_north"] = "broken"

    view = ask(worker)

    assert view["output"]["rating"]["agency"] == "south"
    assert missing(view) == {}


def test_what_may_be_assumed_is_assumed_and_said(worker: Driver, sources: Sources) -> None:
    sources.troubles["loyalty"] = "broken"

    view = ask(worker)

    assert view["output"]["loyalty"] == {"level": "none", "points": 0}
    assert (view["output"]["complete"], view["output"]["assumed"]) == (False, ["loyalty"])


@pytest.mark.parametrize("source", ["profile", "contracts"])
def test_without_a_required_source_there_is_no_answer(worker: Driver, sources: Sources, source: str) -> None:
    sources.troubles[source] = "broken"

    view = ask(worker)

    assert (view["state"], view["output"]) == ("failed", None)
    assert (view["error"]["code"], view["error"]["details"]["status"]) == ("HTTP_ERROR", 503)
    assert view["steps"][f"ask_{source}"] == "failed"
    assert sources.asked[source] == 2


def test_a_customer_whom_nobody_knows_is_no_source_that_failed(worker: Driver, sources: Sources) -> None:
    view = ask(worker, "C-999")

    assert (view["state"], view["error"]["details"]["status"]) == ("failed", 404)
    assert max(sources.asked.values()) == 1


def test_a_slow_source_is_given_up_in_its_time_and_not_asked_again(worker: Driver, sources: Sources) -> None:
    sources.troubles["tickets"] = "slow"

    view = ask(worker)

    assert view["state"] == "completed"
    assert missing(view) == {"tickets": "HTTP_NO_ANSWER"}
    assert sources.asked["tickets"] == 1


def test_an_attempt_that_hangs_is_ended_by_its_time_out_and_the_answer_goes_without_it(
    worker: Driver, sources: Sources
) -> None:
    instance = worker.start(DOCUMENT, {"customer": "C-7"})
    while (claim := worker.claim_next(instance.pk)) is not None:
        if claim.path != "ask_orders":  # its worker hangs
            worker.work(claim)

    worker.advance(3)
    sweep.end_overdue_attempts()
    view = worker.run(instance)

    assert (view["state"], missing(view)) == ("completed", {"orders": "TIMEOUT"})


def test_sources_behind_a_closed_port_leave_no_answer(worker: Driver, root: Path, settings: Any) -> None:
    settings.ORCHESTRATOR_CONNECTIONS = {"example_customers": {"base_url": "http://127.0.0.1:9"}}

    view = ask(worker)

    assert (view["state"], view["error"]["code"]) == ("failed", "HTTP_NO_ANSWER")


def test_nothing_but_the_connections_own_address_is_reached(worker: Driver, root: Path, settings: Any) -> None:
    settings.ORCHESTRATOR_CONNECTIONS = {"example_customers": {"base_url": "http://127.0.0.1:8092"}}
    document = DOCUMENT.replace(
        'connection: example_customers, path: "/profile/${ input.customer }"',
        'url: "http://127.0.0.1:8092/profile/C-7"',
    )

    view = worker.run(worker.start(document, {"customer": "C-7"}))

    assert view["error"]["code"] == "EGRESS_DENIED"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (Request(method="POST", path=("troubles",), body={"source": "moon", "trouble": "slow"}), 400),
        (Request(method="POST", path=("troubles",), body={"source": "orders", "trouble": ["slow"]}), 400),
        (Request(method="POST", path=("troubles",), body={"source": ["orders"]}), 400),
        (Request(method="GET", path=("orders", "C-²")), 404),
        (Request(method="GET", path=("moon", "C-1")), 404),
        (Request(method="POST", path=("orders", "C-1")), 404),
    ],
)
def test_the_sources_refuse_what_they_do_not_understand(request_: Request, status: int) -> None:
    with pytest.raises(RefusalError) as caught:
        Sources()(request_)

    assert caught.value.status == status
