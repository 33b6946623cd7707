"""An undo whose condition did not hold: the page of the instance says that the step needed none, and why."""

from __future__ import annotations

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from tests.integration.ui.test_instance_graph import drawing
from tests.integration.ui.test_iterations_on_the_page import sentence
from workflows_app.models import Instance
from workflows_app.services import interventions

CHARGED = "compensate: {activity: core.echo, when: 'output.amount > 0'}"
ORDER = f"""
  - {{id: reserve, name: Reserve, activity: core.echo, compensate: {{activity: core.echo}}}}
  - {{id: charge, activity: core.echo, with: {{amount: "${{ input.amount }}"}}, {CHARGED}}}
  - {{id: ship, activity: core.echo}}
"""
ONLY = f"""
  - {{id: charge, activity: core.echo, with: {{amount: 0}}, {CHARGED}}}
  - {{id: ship, activity: core.echo}}
"""


def broken(driver: Driver, steps: str, *, name: str = "flow", **given: int) -> Instance:
    driver.perform = {"ship": fail("NO_ROAD")}
    instance = driver.start(flow(steps, name=name), given)
    driver.run(instance)
    return instance


def undos(client: Client, instance: Instance) -> dict[str, str]:
    return {shown.piece.full: shown.words for shown in drawing(client, instance).undos}


def test_a_step_that_needed_no_undo_is_named_beside_those_that_were_undone(driver: Driver, pages: Client) -> None:
    instance = broken(driver, ORDER, amount=0)

    assert sentence(pages, instance) == (
        "“ship” failed with NO_ROAD: it broke. What had been done was undone: 1 step successfully. "
        "“charge” needed no undo, as the definition says."
    )
    assert undos(pages, instance) == {"undo of Reserve": "compensated", "undo of charge": "not needed"}
    page = pages.get(f"/instances/{instance.pk}/").content.decode()
    assert page.count("needs no undo, as its condition says") == 1
    assert "skipped" not in drawing(pages, instance).states


def test_where_none_was_needed_it_does_not_say_that_there_was_nothing_to_undo(driver: Driver, pages: Client) -> None:
    instance = broken(driver, ONLY)

    said = sentence(pages, instance)

    assert said.endswith("Nothing was undone: “charge” needed no undo, as the definition says.")


def test_where_the_condition_holds_nothing_is_said_of_it(driver: Driver, pages: Client) -> None:
    instance = broken(driver, ORDER, amount=5)

    assert sentence(pages, instance).endswith("What had been done was undone: 2 steps, each successfully.")
    assert undos(pages, instance) == {"undo of Reserve": "compensated", "undo of charge": "compensated"}


def test_an_instance_that_goes_on_is_not_told_what_its_last_undo_found(driver: Driver, pages: Client) -> None:
    instance = broken(driver, ONLY)
    interventions.retry(instance_id=instance.pk, actor="ada", reason="")

    assert undos(pages, instance) == {"undo of charge": ""}


def test_it_is_asked_only_where_an_undo_has_a_condition(driver: Driver, pages: Client) -> None:
    asking = broken(driver, ORDER, amount=5)
    plain = broken(driver, ORDER.replace(CHARGED, "compensate: {activity: core.echo}"), name="plain", amount=5)
    counted = {}

    for name, instance in (("asking", asking), ("plain", plain)):
        pages.get(f"/instances/{instance.pk}/")
        with CaptureQueriesContext(connection) as queries:
            pages.get(f"/instances/{instance.pk}/")
        counted[name] = len(queries)

    assert counted["asking"] == counted["plain"] + 1
