"""Workflow patterns of multiple instances that are added while others run: a loop hears of them and counts."""

from __future__ import annotations

import pytest

from tests.integration.driver import Driver
from tests.integration.patterns.scenes import do, finish, give_up, publish_called, ready, shows, states
from workflows_app.models import Instance
from workflows_app.services import signals, verification


@pytest.fixture(autouse=True)
def the_statement(driver: Driver) -> None:
    publish_called()


def hand_over(driver: Driver) -> None:
    while driver.hand_over():
        pass


def name(driver: Driver, case: Instance, witness: str) -> None:
    """Somebody names a further witness."""
    signals.publish(event="statements", correlate=case.correlation_id, data={"witness": witness}, actor="ada")
    hand_over(driver)


def statements(case: Instance) -> dict[str, Instance]:
    return {found.input["witness"]: found for found in Instance.objects.filter(parent=case)}


def under_way(case: Instance) -> set[str]:
    return {witness for witness, found in statements(case).items() if found.state == "running"}


def take_down(driver: Driver, case: Instance, witness: str) -> None:
    do(driver, statements(case)[witness], "take_down")
    hand_over(driver)


@shows(15)
def test_instances_are_added_while_others_run_and_all_are_waited_for(driver: Driver, document: str) -> None:
    case = driver.start(document, {"witness": "ann"})
    other = driver.start(document, {"witness": "eve"})
    hand_over(driver)
    name(driver, case, "bob")
    assert under_way(case) == {"ann", "bob"}, "side by side"

    take_down(driver, case, "ann")
    assert states(case)["statements"] == "waiting"
    name(driver, case, "cid")
    take_down(driver, case, "bob")
    assert under_way(case) == {"cid"}
    assert "report" not in ready(case)
    take_down(driver, case, "cid")

    assert under_way(other) == {"eve"}, "another case counts its own"
    assert ready(case) == {"report"}, "nobody has said that there are no more: the last has ended"
    view = finish(driver, case)
    assert (view["state"], case.steps.get(path="report").output) == ("completed", {"statements": 3})
    assert all(verification.check_replay(found.pk) == [] for found in statements(case).values())


@shows(15)
def test_one_that_cannot_be_taken_down_has_come_to_its_end_too(driver: Driver, document: str) -> None:
    case = driver.start(document, {"witness": "ann"})
    hand_over(driver)
    name(driver, case, "bob")
    driver.perform = {"take_down": give_up}

    view = finish(driver, case)

    assert (view["state"], case.steps.get(path="report").output) == ("completed", {"statements": 2})


@shows(36)
def test_a_condition_over_those_that_ended_decides_and_the_others_go_on(driver: Driver, document: str) -> None:
    case = driver.start(document, {"witness": "ann"})
    hand_over(driver)
    for witness in ("bob", "cid"):
        name(driver, case, witness)
    take_down(driver, case, "ann")
    assert "report" not in ready(case), "one of three"
    name(driver, case, "dan")
    take_down(driver, case, "dan")
    assert "report" not in ready(case), "two of four, though two of three were enough"

    take_down(driver, case, "bob")

    assert ready(case) == {"report"}, "three of four"
    name(driver, case, "eve")
    assert "eve" not in statements(case), "no further one is started"
    assert under_way(case) == {"cid"}
    take_down(driver, case, "cid")
    view = finish(driver, case)
    assert (view["state"], case.steps.get(path="report").output) == ("completed", {"statements": 3, "of": 4})
    assert statements(case)["cid"].state == "completed"
