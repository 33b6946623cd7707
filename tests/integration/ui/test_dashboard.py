"""The dashboard: what needs somebody comes first, and every number leads to a list that agrees with it."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from workflows_app.selectors import overview
from workflows_app.services import presence

ECHO = "\n  - {id: a, activity: core.echo, with: {x: 1}}"
RETRY = "\n  - {id: a, activity: core.echo, retry: {max_attempts: 5, initial_interval: 40s, jitter: 0}}"


def tiles(page: str) -> dict[str, tuple[str, str]]:
    """Number and address by label."""
    found = re.findall(r'<a class="tile[^"]*" href="([^"]+)"><span class="label">([^<]+)</span><strong>([^<]*)<', page)
    return {label: (number, address.replace("&amp;", "&")) for address, label, number in found}


def listed(pages: Client, address: str) -> int:
    return len(pages.get(address).context["rows"])


@pytest.fixture
def busy(driver: Driver) -> Driver:
    """Two completed, one failed, two that are tried again, one that no worker takes, one near its time-out."""
    presence.Sign(kind="worker", name="default@host", queues=["default"]).give()
    presence.Sign(kind="sweeper", name="sweep@host").give()
    for _ in range(2):
        driver.run(driver.start(flow(ECHO, name="good")))
    driver.perform = {"a": fail(), "b": fail()}
    driver.run(driver.start(flow("\n  - {id: b, activity: core.echo}", name="bad")))
    for _ in range(2):
        driver.start(flow(RETRY, name="again"))
    driver.drain()
    driver.start(flow("\n  - {id: w, wait: {for: 1d}}", head="timeout: 5m", name="hasty"))
    driver.start(flow("\n  - {id: g, activity: core.echo, queue: gpu}", name="gpu"))
    return driver


def test_each_number_agrees_with_the_list_that_it_leads_to(busy: Driver, pages: Client) -> None:
    found = tiles(pages.get("/").content.decode())

    numbers = {label: number for label, (number, _) in found.items()}
    assert numbers == {
        "Failed in 24 hours": "1",
        "Stuck": "0",
        "Trying again": "2",
        "Time-out within 15 min": "1",
        "Oldest step in a queue": "0 ms",
        "Completed in 24 hours": "2",
    }
    for label, (number, address) in found.items():
        if label != "Oldest step in a queue":
            assert listed(pages, address) == int(number), label


def test_numbers_of_a_day_agree_with_their_lists_whatever_the_hour(busy: Driver, pages: Client) -> None:
    busy.advance(23.75 * 3600)
    found = tiles(pages.get("/").content.decode())

    assert found["Completed in 24 hours"][0] == "2"
    assert listed(pages, found["Completed in 24 hours"][1]) == 2
    busy.advance(0.5 * 3600)
    found = tiles(pages.get("/").content.decode())
    assert found["Completed in 24 hours"][0] == "0"
    assert listed(pages, found["Completed in 24 hours"][1]) == 0


def test_what_is_stuck_is_named_with_its_reason(busy: Driver, pages: Client) -> None:
    busy.advance(65)
    presence.Sign(kind="sweeper", name="sweep@host").give()

    page = pages.get("/").content.decode()

    # The two whose back-off nobody ended are stuck too.
    assert tiles(page)["Stuck"][0] == "3"
    assert listed(pages, "/instances/?only=stuck") == 3
    assert "no worker takes anything from this queue" in page
    assert "A timer of “a” is overdue by 25.0 s: is the sweeper running?" in page


def test_states_and_the_hours_are_counted(busy: Driver, pages: Client) -> None:
    response = pages.get("/")
    states = {name: count.number for name, count in response.context["states"]}

    assert states == {"completed": 2, "failed": 1, "running": 4}
    last = response.context["chart"].columns[-1].interval
    assert (last.completed, last.failed) == (2, 1)
    assert "<svg" in response.content.decode()


def test_counting_stops_at_its_bound(busy: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "BOUND", 1)

    assert str(overview.by_state()["completed"]) == "1+"


def test_without_a_worker_or_a_sweeper_the_dashboard_says_so(busy: Driver, pages: Client) -> None:
    assert "No worker is there" not in pages.get("/").content.decode()
    busy.advance(40)
    assert "No worker is there" in pages.get("/").content.decode()
    presence.Sign(kind="worker", name="default@host").give()
    assert "No sweeper is there" in pages.get("/").content.decode()


def test_an_empty_installation_says_how_to_begin(pages: Client) -> None:
    page = pages.get("/").content.decode()

    assert "Nothing has run yet" in page
    assert "manage.py workflow publish" in page


def test_more_instances_cost_no_more_queries(busy: Driver, pages: Client) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert pages.get("/").status_code == 200
        return len(queries)

    cost()
    before = cost()
    for _ in range(10):
        busy.start(flow(RETRY, name="again"))
        busy.start(flow("\n  - {id: g, activity: core.echo, queue: gpu}", name="gpu"))
    busy.drain()
    cost()  # what versions say of their steps is read once

    assert cost() == before
    assert before <= 30


def test_the_dashboard_is_for_those_who_may_view_instances(stranger: Client) -> None:
    response = stranger.get("/")

    assert response.status_code == 403
    assert "Can view instance" in response.content.decode()
