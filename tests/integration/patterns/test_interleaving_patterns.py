"""Workflow patterns that are about what must not be under way at the same time."""

from __future__ import annotations

from itertools import permutations

import pytest

from tests.integration.driver import Driver
from tests.integration.patterns.scenes import do, finish, publish_called, ready, shows, state, states
from workflows_app.models import Dispatch, Instance


@pytest.fixture(autouse=True)
def the_place(driver: Driver) -> None:
    publish_called()


def hand_over(driver: Driver) -> None:
    while driver.hand_over():
        pass


def inside(case: Instance) -> list[str]:
    """The tasks of a case that are under way, as the place that they share has it."""
    running = Instance.objects.filter(parent=case, state="running").order_by("id")
    return [found.input["task"] for found in running]


def waiting(case: Instance) -> set[str]:
    return {found.input["task"] for found in Instance.objects.filter(parent=case, state="pending")}


def pass_through(driver: Driver, case: Instance) -> str:
    """Do all of the one task that is under way, and let the next in; return which it was."""
    (task,) = inside(case)
    within = Instance.objects.get(parent=case, state="running")
    do(driver, within, "begin")
    driver.begin_granted()
    assert inside(case) == [task], "another one came in between"
    do(driver, within, "finish")
    driver.begin_granted()
    hand_over(driver)
    return task


@shows(17)
@pytest.mark.parametrize(
    ("order", "come", "comes_late"),
    [
        (["blood", "rest", "strain"], ["nurse", "doctor"], []),
        (["rest", "blood", "strain"], ["doctor", "nurse"], []),
        (["rest", "strain", "blood"], ["doctor"], ["nurse"]),
    ],
)
def test_interleaved_parallel_routing_keeps_the_partial_order_and_one_at_a_time(
    driver: Driver, document: str, order: list[str], come: list[str], comes_late: list[str]
) -> None:
    case = driver.start(document)
    begun: list[str] = []
    for who in (come, comes_late):
        for step in who:
            do(driver, case, step)
            hand_over(driver)
        while inside(case):
            begun.append(pass_through(driver, case))

    assert begun == order
    assert ready(case) == {"report"}
    assert finish(driver, case)["state"] == "completed"


@shows(39)
@pytest.mark.parametrize(("first", "second"), [("unload", "paint"), ("paint", "unload")])
def test_a_critical_section_is_left_before_the_other_is_entered(
    driver: Driver, document: str, first: str, second: str
) -> None:
    before = {"unload": "papers", "paint": "wash"}
    case, other = driver.start(document), driver.start(document)
    do(driver, case, before[first])
    hand_over(driver)
    section = Instance.objects.get(parent=case)
    do(driver, section, "begin")

    do(driver, case, before[second])
    hand_over(driver)
    driver.begin_granted()

    assert (inside(case), waiting(case)) == ([first], {second})
    do(driver, other, before[second])
    hand_over(driver)
    assert inside(other) == [second], "another case has sections of its own"
    do(driver, section, "finish")
    driver.begin_granted()
    hand_over(driver)
    assert (inside(case), waiting(case)) == ([second], set())
    assert ready(case) == ({"invoice"} if first == "unload" else set()), "what follows the section waits for nobody"
    driver.work_off()
    assert finish(driver, case)["state"] == "completed"
    assert finish(driver, other)["state"] == "completed"


@shows(39)
def test_a_critical_section_that_is_cancelled_or_fails_lets_the_other_in(driver: Driver, document: str) -> None:
    case = driver.start(document.replace("task: unload}}", "task: unload}}, on_error: continue"))
    do(driver, case, "papers", "wash")
    hand_over(driver)
    assert (inside(case), waiting(case)) == (["unload"], {"paint"})
    driver.perform = {"begin": lambda claim: 1 / 0 if claim.parameters["task"] == "unload" else None}

    driver.work_off()

    assert (states(case)["unload"], states(case)["paint"]) == ("failed", "completed")
    assert finish(driver, case)["state"] == "completed"


@shows(40)
@pytest.mark.parametrize("order", list(permutations(["sight", "hearing", "teeth"])), ids="-".join)
def test_interleaved_routing_takes_any_order_one_at_a_time(
    driver: Driver, document: str, order: tuple[str, ...]
) -> None:
    comes = {"sight": "optician", "hearing": "acoustician", "teeth": "dentist"}
    case = driver.start(document)
    for task in order:
        do(driver, case, comes[task])
        hand_over(driver)
    assert (inside(case), waiting(case)) == ([order[0]], set(order[1:]))
    assert not Dispatch.objects.filter(instance=case).exists()

    begun = [pass_through(driver, case) for _ in order]

    assert begun == list(order)
    assert (ready(case), state(case)) == ({"report"}, "running")
    assert finish(driver, case)["state"] == "completed"
    assert [path for path, _ in driver.calls].count("begin") == 3, "each is done once"
