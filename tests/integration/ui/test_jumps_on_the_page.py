"""Where ``on_error`` goes on, on pages: a line of its own, taken where a failure led along it, and counted."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from tests.integration.ui.test_instance_graph import drawing, svg
from workflows_app.models import Instance
from workflows_app.ui.graphs import Drawing

STEPS = """
  - {id: pay, activity: core.echo, on_error: {goto: ask}}
  - {id: ship, activity: core.echo}
  - {id: ask, activity: core.echo}
"""


@pytest.fixture
def both(driver: Driver) -> tuple[Instance, Instance]:
    """One whose payment failed, and one that went well."""
    driver.perform = {"pay": fail("<b>NO_MONEY</b>")}
    failed = driver.start(flow(STEPS))
    driver.run(failed)
    driver.perform = {}
    well = driver.start(flow(STEPS))
    driver.run(well)
    driver.advance(1)
    return failed, well


def taken(drawn: Drawing) -> dict[tuple[str, str], bool]:
    return {(line.source, line.target): way.taken for line, way in drawn.lines}


def test_it_is_the_way_taken_only_where_the_failure_led_along_it(
    both: tuple[Instance, Instance], pages: Client
) -> None:
    failed, well = both

    assert taken(drawing(pages, failed)) == {("pay", "ship"): False, ("ship", "ask"): False, ("pay", "ask"): True}
    assert taken(drawing(pages, well)) == {("pay", "ship"): True, ("ship", "ask"): True, ("pay", "ask"): False}


def test_the_line_says_when_and_has_a_place_in_the_legend(both: tuple[Instance, Instance], pages: Client) -> None:
    failed, _ = both

    assert 'class="link taken jump"' in svg(pages, failed)
    assert "<title>on any failure</title>" in svg(pages, failed)
    assert "where a failure leads" in pages.get(f"/instances/{failed.pk}/").content.decode()


def test_statistics_count_how_many_went_along_it(both: tuple[Instance, Instance], viewer: User, pages: Client) -> None:
    viewer.user_permissions.add(Permission.objects.get(codename="view_definitionversion"))

    ways = pages.get("/definitions/flow/statistics/?since=90m").context["said"]["ways"]

    counted = {(way["from"], way["to"]): (way["number"], way["condition"]) for way in ways}
    assert counted["pay", "ask"] == (1, "on any failure")
    assert counted["pay", "ship"] == (1, None)
