"""The list of instances."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from workflows_app.services import steps, sweep
from workflows_app.ui import instances as views

ECHO = "\n  - {id: a, activity: core.echo, with: {x: 1}}"


def rows(client: Client, address: str = "/instances/", **filters: str | list[str]) -> list[str]:
    """Correlation ids of the shown rows, top to bottom."""
    response = client.get(address, filters)
    assert response.status_code == 200
    return [row.correlation_id for row in response.context["page"].rows]


def link(client: Client, address: str, text: str) -> str | None:
    page = client.get(address).content.decode()
    found = re.search(rf'<a href="([^"]*)"[^>]*>{text}</a>', page)
    return None if found is None else "/instances/" + found[1].replace("&amp;", "&")


@pytest.fixture
def several(driver: Driver) -> Driver:
    """Two workflows: o-1 and o-2 completed, o-3 failed, bill-1 running; started in this order."""
    driver.perform = {"bad": fail()}
    for name in ("o-1", "o-2"):
        driver.run(driver.start(flow(ECHO, name="orders"), correlation_id=name))
        driver.advance(1)
    bad = "\n  - {id: bad, activity: core.echo, with: {x: 1}}"
    driver.run(driver.start(flow(bad, name="orders-2"), correlation_id="o-3"))
    driver.advance(1)
    driver.start(flow(ECHO, name="bills"), correlation_id="bill-1")
    return driver


def test_the_newest_come_first_with_what_one_wants_to_know(several: Driver, pages: Client) -> None:
    assert rows(pages) == ["bill-1", "o-3", "o-2", "o-1"]

    text = " ".join(re.sub(r"<[^>]+>", " ", pages.get("/instances/").content.decode()).split())
    assert "failed orders-2 1.0.0" in text
    assert "2026-01-01 00:00:02" in text
    assert "failure" in text
    assert "so far" in text


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"workflow": "orders"}, ["o-2", "o-1"]),
        ({"state": "failed"}, ["o-3"]),
        ({"q": "O-"}, ["o-3", "o-2", "o-1"]),
        ({"q": "ill"}, ["bill-1"]),
        ({"q": "%"}, []),
        ({"state": ["failed", "running"]}, ["bill-1", "o-3"]),
        ({"state": ["", "failed"]}, ["o-3"]),
        ({"version": "1.0.0", "workflow": "orders-2"}, ["o-3"]),
        ({"version": "2.0.0"}, []),
        ({"correlation": "o-2"}, ["o-2"]),
        ({"correlation": "o-"}, []),
        ({"since": "2026-01-01T00:00:02"}, ["bill-1", "o-3"]),
        ({"until": "2026-01-01T00:00:02"}, ["o-2", "o-1"]),
        ({"ended": "24h", "workflow": "orders"}, ["o-2", "o-1"]),
        ({"workflow": "orders", "state": "completed", "q": "2"}, ["o-2"]),
        ({"workflow": "bills", "state": "completed"}, []),
        ({"unknown": "x", "order_by": "started_by__password"}, ["bill-1", "o-3", "o-2", "o-1"]),
    ],
)
def test_filters_stand_in_the_address(several: Driver, pages: Client, filters: dict[str, Any], found: Any) -> None:
    assert rows(pages, **filters) == found


def test_an_instance_is_found_by_its_own_id(several: Driver, pages: Client) -> None:
    wanted = pages.get("/instances/").context["page"].rows[2]

    assert rows(pages, q=str(wanted.pk)) == [wanted.correlation_id]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", "exploded"),
        ("workflow", "nothing-of-that-name"),
        ("q", "a\x00b"),
        ("q", "x" * 201),
        ("only", "beautiful"),
        ("ended", "never"),
        ("since", "yesterday"),
        ("older", "yesterday"),
        ("older", "99999999999999999999-" + "0" * 32),
        ("newer", "1-2"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused_with_the_reason(
    several: Driver, pages: Client, name: str, value: str
) -> None:
    response = pages.get("/instances/", {name: value})

    assert response.status_code == 400
    assert 'role="alert"' in response.content.decode()
    assert response.context["form"].errors[name]


def test_pages_go_back_and_forth_without_missing_or_repeating_a_row(
    driver: Driver, pages: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "INSTANCES_ON_A_PAGE", 3)
    # All at the same instant: only the id tells them apart.
    for n in range(8):
        driver.start(flow(ECHO), correlation_id=f"c{n}")
    everything = [row.correlation_id for row in views.lists.instances()]
    address, seen, visited = "/instances/?q=c", [], []

    while address:
        visited.append(address)
        seen += rows(pages, address)
        address = link(pages, address, "Older")

    assert seen == everything
    assert len(visited) == 3
    back = link(pages, visited[2], "Newer")
    assert back is not None
    assert "q=c" in back
    assert rows(pages, back) == everything[3:6]
    assert rows(pages, link(pages, back, "Newer") or "") == everything[:3]
    assert link(pages, visited[0], "Newer") is None
    assert rows(pages, link(pages, back, "Newest") or "") == everything[:3]


def test_a_longer_list_costs_no_more_queries(
    driver: Driver, pages: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for n in range(12):
        driver.start(flow(ECHO), correlation_id=f"c{n}")

    pages.get("/instances/")  # what versions say of their steps is read once

    # Session, user, two for permissions, names of workflows, the clock, instances, saved views; and of those that are
    # open: themselves, holds, attempts, tickets, timers, slots, subscriptions, what they called.
    with django_assert_num_queries(16):
        pages.get("/instances/")


def test_an_empty_installation_says_how_to_begin(pages: Client) -> None:
    assert "manage.py workflow publish" in pages.get("/instances/").content.decode()


def test_published_but_never_started_says_how_to_start(driver: Driver, pages: Client) -> None:
    from workflows_app.services import definitions

    definitions.publish(text=flow(ECHO), actor="ada")

    assert "manage.py workflow start" in pages.get("/instances/").content.decode()


def test_no_match_leads_back_to_everything(several: Driver, pages: Client) -> None:
    assert "No instance matches" in pages.get("/instances/", {"q": "nothing"}).content.decode()


def test_what_is_tried_again_is_called_retrying_and_found_by_it(several: Driver, pages: Client) -> None:
    several.perform = {"again": fail()}
    retry = "\n  - {id: again, activity: core.echo, retry: {max_attempts: 5, initial_interval: 40s, jitter: 0}}"
    several.start(flow(retry, name="retries"), correlation_id="r-1")
    several.drain()

    response = pages.get("/instances/", {"only": "retrying"})

    assert [row.instance.correlation_id for row in response.context["rows"]] == ["r-1"]
    assert response.context["rows"][0].state == "retrying"
    assert "Attempt 2 of 5 of “again” in 40.0 s, after BROKEN: it broke." in response.content.decode()


def test_what_is_stuck_is_found_and_marked(several: Driver, pages: Client) -> None:
    several.start(flow("\n  - {id: w, wait: {for: 1d}}", name="patient"), correlation_id="p-1")
    several.drain()
    several.advance(1)
    several.start(flow("\n  - {id: gpu, activity: core.echo, queue: gpu}", name="render"), correlation_id="g-1")
    several.advance(61)

    found = pages.get("/instances/", {"only": "stuck"})

    assert [row.instance.correlation_id for row in found.context["rows"]] == ["g-1"]
    assert found.context["rows"][0].is_stuck
    assert "no worker takes anything from this queue" in found.content.decode()
    several.advance(86400)
    assert rows(pages, only="stuck") == ["g-1", "p-1"]


def test_a_paused_instance_is_not_stuck_whatever_was_due(several: Driver, pages: Client) -> None:
    from workflows_app.services import interventions

    waits = several.start(flow("\n  - {id: w, wait: {for: 10s}}", name="patient"), correlation_id="p-1")
    several.work_off()
    interventions.pause(instance_id=waits.pk, actor="ada")
    several.advance(60)
    sweep.run()

    assert rows(pages, only="stuck") == []


def test_what_is_about_to_time_out_is_found(driver: Driver, pages: Client) -> None:
    wait = "\n  - {id: w, wait: {for: 1d}}"
    driver.start(flow(wait, head="timeout: 10m", name="hasty"), correlation_id="h-1")
    driver.start(flow(wait, head="timeout: 10h", name="calm"), correlation_id="c-1")

    assert rows(pages, only="near-timeout") == ["h-1"]


def test_what_waits_for_a_worker_with_its_activity_is_stuck(several: Driver, pages: Client) -> None:
    instance = several.start(flow("\n  - {id: x, activity: core.echo}", name="odd"), correlation_id="x-1")
    claim = several.claim_next(instance.pk)
    assert claim
    error = {"code": "EXECUTOR_NOT_FOUND", "message": "No activity odd.one is registered on this worker"}
    steps.postponed(claim=claim, error={**error, "details": {}, "recoverable": True}, seconds=10)

    response = pages.get("/instances/", {"only": "stuck"})

    assert [row.instance.correlation_id for row in response.context["rows"]] == ["x-1"]
    assert response.context["rows"][0].is_stuck
