"""The page of an instance that an operator takes back to a step."""

from __future__ import annotations

from django.test import Client

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from tests.integration.ui.test_acts import address, confirm, stored
from tests.integration.ui.test_instance_page import plain
from tests.integration.ui.test_iterations_on_the_page import sentence
from workflows_app.services import rewinds

UNDO = "compensate: {activity: core.echo}"
STEPS = f"  - {{id: a, activity: core.echo}}\n  - {{id: b, activity: core.echo, {UNDO}}}"


def test_it_says_who_took_it_back_and_why(driver: Driver, pages: Client) -> None:
    driver.perform = {"undo_b": fail("NO_REFUND")}
    instance = driver.start(flow(STEPS))
    driver.run(instance)

    rewinds.rerun(instance_id=instance.pk, step="a", actor="ada", reason="wrong price")

    assert sentence(pages, instance).startswith("Taken back to a step by ada: wrong price. Completed steps are being")
    driver.drain()
    said = sentence(pages, instance)
    assert said.startswith("Taken back to a step by ada: wrong price. The undo of “b” with NO_REFUND")


def test_at_the_step_it_is_paused_by_who_asked_for_it(driver: Driver, pages: Client) -> None:
    instance = driver.start(flow(STEPS))
    driver.run(instance)

    rewinds.rewind(instance_id=instance.pk, step="a", actor="ada", reason="wrong price")
    driver.drain()

    assert sentence(pages, instance).startswith("Paused by ada since")


# ---------------------------------------------------------------- done on the page
def test_the_act_s_page_says_what_is_undone_and_takes_new_values_of_variables(driver: Driver, operator: Client) -> None:
    maybe = "compensate: {activity: core.echo, when: 'vars.v > 9'}"
    more = f"\n  - {{id: c, activity: core.echo, {maybe}}}\n  - {{id: d, name: Deliver, activity: core.echo, {UNDO}}}"
    instance = driver.start(flow(STEPS + more, head="variables: {v: 1}"))
    driver.run(instance)

    said = plain(operator.get(address(instance, "rewind"), {"step": "a"}).content.decode())

    assert "What these did is undone first, in this order: 1. “Deliver” (d); 2. “b”." in said
    assert "These need no undo, as their condition says: “c”." in said
    assert "These wait for their turn again: “b”, “c”, “Deliver” (d)." in said
    assert stored(instance).state == "completed", "looking changes nothing"
    confirm(operator, instance, "rewind", step="a", **{"variable-v": "2", "initial-variable-v": "1", "reason": "typo"})
    driver.drain()
    assert (stored(instance).state, stored(instance).variables) == ("paused", {"v": 2})


def test_a_step_is_run_again_from_the_page_and_what_cannot_be_is_said(driver: Driver, operator: Client) -> None:
    instance = driver.start(flow(STEPS))
    driver.run(instance)

    refused = plain(operator.get(address(instance, "rewind"), {"step": "b"}).content.decode())
    confirm(operator, instance, "rerun", step="a", reason="again")

    assert "That is not possible: nothing that depends on b has begun; there is nothing to take back." in refused
    assert driver.run(instance)["state"] == "completed"
    assert [path for path, role in driver.calls if role == "action"] == ["a", "b", "a", "b"]


def test_the_acts_stand_on_the_outermost_steps_of_an_instance_that_stands_still(
    driver: Driver, operator: Client
) -> None:
    inside = "  - {id: all, parallel: {branches: {one: [{id: x, activity: core.echo}]}}}\n"
    instance = driver.start(flow(inside + STEPS))

    def offered(client: Client) -> list[tuple[str, str]]:
        lines = client.get(f"/instances/{instance.pk}/").context["lines"]
        return [(line.path, name) for line in lines for name, _ in line.acts if name in ("rewind", "rerun")]

    assert offered(operator) == []
    driver.run(instance)
    assert {path for path, _ in offered(operator)} == {"all", "a", "b"}
