"""The page of an instance that an operator takes back to a step."""

from __future__ import annotations

from django.test import Client

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
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
