"""Basic control flow, advanced branching and synchronization: each definition shows what makes its pattern."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import pytest

from tests.integration.driver import Driver
from tests.integration.patterns.scenes import (
    do,
    done,
    finish,
    give_up,
    ready,
    shows,
    state,
    states,
    take,
    told_to_stop,
)
from workflows_app.models import Attempt, Timer

# Basic control flow


@shows(1)
def test_a_step_of_a_sequence_begins_when_the_one_before_it_has_completed(driver: Driver, document: str) -> None:
    instance = driver.start(document)

    for path in ("pick", "pack", "label"):
        assert ready(instance) == {path}
        running = take(instance, path)
        assert ready(instance) == set(), "nothing else may begin meanwhile"
        driver.work(running)

    assert finish(driver, instance)["state"] == "completed"
    assert done(driver) == ["pick", "pack", "label"]


@shows(2)
def test_a_parallel_split_lets_several_steps_run_at_the_same_time(driver: Driver, document: str) -> None:
    instance = driver.start(document)
    assert ready(instance) == {"accept"}
    do(driver, instance, "accept")

    assert ready(instance) == {"pick_goods", "write_invoice", "thank_customer"}
    running = [take(instance, path) for path in ("pick_goods", "write_invoice", "thank_customer")]
    assert Attempt.objects.filter(instance=instance, state="running").count() == 3
    for claim in reversed(running):
        driver.work(claim)

    assert finish(driver, instance)["state"] == "completed"
    assert done(driver) == ["accept", "thank_customer", "write_invoice", "pick_goods"], "in any order"


@shows(3)
@pytest.mark.parametrize("order", list(permutations(["pack_goods", "write_invoice", "book_courier"])), ids="-".join)
def test_a_synchronization_waits_for_the_last_branch_whichever_it_is(
    driver: Driver, document: str, order: tuple[str, str, str]
) -> None:
    instance = driver.start(document)

    for path in order:
        assert states(instance).get("ship", "pending") == "pending"
        do(driver, instance, path)

    assert ready(instance) == {"ship"}
    assert finish(driver, instance)["state"] == "completed"
    assert done(driver) == [*order, "ship"], "once, after all"


@shows(4)
@pytest.mark.parametrize(
    ("amount", "taken"), [(2000, "ask_director"), (1000, "ask_manager"), (101, "ask_manager"), (100, "pay_at_once")]
)
def test_an_exclusive_choice_takes_one_branch(driver: Driver, document: str, amount: int, taken: str) -> None:
    instance = driver.start(document, {"amount": amount})

    assert ready(instance) == {taken}
    view = finish(driver, instance)

    assert done(driver) == [taken]
    others = {"ask_director", "ask_manager", "pay_at_once"} - {taken}
    assert {path for path, now in view["steps"].items() if now == "skipped"} == others


@shows(5)
@pytest.mark.parametrize(("by", "branch"), [("card", ["charge_card"]), ("transfer", ["print_slip", "book_transfer"])])
def test_a_simple_merge_goes_on_after_whichever_branch_was_taken(
    driver: Driver, document: str, by: str, branch: list[str]
) -> None:
    instance = driver.start(document, {"by": by})

    for path in branch:
        assert ready(instance) == {path}
        do(driver, instance, path)
    assert ready(instance) == {"send_receipt"}, "it waits for no other branch"
    finish(driver, instance)

    assert done(driver) == [*branch, "send_receipt"], "once"


# Advanced branching and synchronization


@shows(6)
@pytest.mark.parametrize("gift", [True, False], ids=["gift", "plain"])
@pytest.mark.parametrize("insured", [True, False], ids=["insured", "uninsured"])
@pytest.mark.parametrize("abroad", [True, False], ids=["abroad", "inland"])
def test_a_multi_choice_takes_each_branch_whose_condition_holds(
    driver: Driver, document: str, gift: bool, insured: bool, abroad: bool
) -> None:
    chosen = {path for path, holds in {"wrap": gift, "insure": insured, "declare": abroad}.items() if holds}
    instance = driver.start(document, {"gift": gift, "insured": insured, "abroad": abroad})
    do(driver, instance, "accept")

    assert ready(instance) == chosen, "all of them at the same time"
    view = finish(driver, instance)

    assert set(done(driver)) == {"accept"} | chosen
    assert all(view["steps"][path] == "skipped" for path in {"wrap", "insure", "declare"} - chosen)


@shows(7)
@pytest.mark.parametrize("last", ["present", "customs"])
def test_a_synchronizing_merge_waits_for_both_branches_if_both_were_taken(
    driver: Driver, document: str, last: str
) -> None:
    branches = {"present": ["wrap", "write_card"], "customs": ["declare", "pay_duty"]}
    instance = driver.start(document, {"gift": True, "abroad": True})
    assert ready(instance) == {"wrap", "declare"}

    for path in [path for name, branch in branches.items() if name != last for path in branch] + branches[last]:
        assert "hand_over" not in ready(instance)
        do(driver, instance, path)

    assert ready(instance) == {"hand_over"}
    finish(driver, instance)
    assert Counter(done(driver))["hand_over"] == 1


@shows(7)
@pytest.mark.parametrize(
    ("gift", "abroad", "taken"),
    [(True, False, ["wrap", "write_card"]), (False, True, ["declare", "pay_duty"]), (False, False, [])],
)
def test_a_synchronizing_merge_does_not_wait_for_a_branch_that_was_not_taken(
    driver: Driver, document: str, gift: bool, abroad: bool, taken: list[str]
) -> None:
    instance = driver.start(document, {"gift": gift, "abroad": abroad})

    do(driver, instance, *taken)
    assert ready(instance) == {"hand_over"}
    finish(driver, instance)

    assert done(driver) == [*taken, "hand_over"]


@shows(9)
@pytest.mark.parametrize("order", list(permutations(["ask_north", "ask_south", "ask_west"])), ids="-".join)
def test_a_discriminator_goes_on_once_with_the_first_branch_and_lets_the_others_finish(
    driver: Driver, document: str, order: tuple[str, str, str]
) -> None:
    instance = driver.start(document)
    first, second, third = order
    running = take(instance, third)

    do(driver, instance, first)
    assert ready(instance) == {"order", second}, "it goes on; nobody is withdrawn"
    do(driver, instance, "order")
    do(driver, instance, second)
    assert not told_to_stop(third)
    assert state(instance) == "running", "the last branch is still under way"
    driver.work(running)

    view = finish(driver, instance)
    assert done(driver) == [first, "order", second, third], "the others changed nothing"
    assert set(view["steps"].values()) == {"completed"}


@shows(29)
@pytest.mark.parametrize(("first", "other"), [("ask_near", "ask_spare"), ("ask_spare", "ask_near")])
def test_a_cancelling_discriminator_goes_on_with_the_first_branch_and_cancels_the_others(
    driver: Driver, document: str, first: str, other: str
) -> None:
    instance = driver.start(document)

    do(driver, instance, first)

    assert ready(instance) == {"send_driver"}, "the other one is withdrawn"
    assert not Timer.objects.filter(instance=instance).exists()
    view = finish(driver, instance)
    assert done(driver) == [first, "send_driver"]
    cancelled = {path for path, now in view["steps"].items() if now == "cancelled"}
    assert cancelled >= {other, "give_time"}
    assert "ask_far" not in view["steps"] or view["steps"]["ask_far"] == "cancelled"


@shows(29)
def test_a_cancelling_discriminator_tells_a_branch_that_runs_to_stop(driver: Driver, document: str) -> None:
    driver.perform = {"ask_spare": give_up}
    instance = driver.start(document)
    running = take(instance, "ask_spare")

    do(driver, instance, "ask_near", "send_driver")
    assert told_to_stop("ask_spare")
    driver.work(running)

    view = finish(driver, instance)
    assert view["state"] == "completed"
    assert view["steps"]["ask_spare"] == "cancelled"
    assert Counter(done(driver))["send_driver"] == 1


@shows(30)
@pytest.mark.parametrize("order", list(permutations(["review_one", "review_two", "review_three"])), ids="-".join)
def test_a_partial_join_goes_on_once_with_two_of_three_and_lets_the_third_finish(
    driver: Driver, document: str, order: tuple[str, str, str]
) -> None:
    instance = driver.start(document)
    first, second, third = order
    running = take(instance, third)

    do(driver, instance, first)
    assert "decide" not in ready(instance), "one is not enough"
    do(driver, instance, second, "decide")
    assert not told_to_stop(third)
    assert state(instance) == "running", "the third is still under way"
    driver.work(running)

    view = finish(driver, instance)
    assert done(driver) == [first, second, "decide", third], "the third changed nothing"
    assert set(view["steps"].values()) == {"completed"}


@shows(32)
@pytest.mark.parametrize("order", list(permutations(["ask_joiner", "ask_builder", "ask_cabinet_maker"])), ids="-".join)
def test_a_cancelling_partial_join_goes_on_with_two_of_three_and_cancels_the_third(
    driver: Driver, document: str, order: tuple[str, str, str]
) -> None:
    instance = driver.start(document)
    first, second, third = order

    do(driver, instance, first)
    assert ready(instance) == {second, third}, "one is not enough"
    do(driver, instance, second)

    assert ready(instance) == {"compare"}, "the third is withdrawn"
    view = finish(driver, instance)
    assert done(driver) == [first, second, "compare"]
    assert view["steps"][third] == "cancelled"


@shows(32)
def test_a_cancelling_partial_join_tells_the_third_to_stop_if_it_runs(driver: Driver, document: str) -> None:
    driver.perform = {"ask_builder": give_up}
    instance = driver.start(document)
    running = take(instance, "ask_builder")

    do(driver, instance, "ask_joiner")
    assert not told_to_stop("ask_builder")
    do(driver, instance, "ask_cabinet_maker")
    assert told_to_stop("ask_builder")
    assert ready(instance) == {"compare"}, "nobody waits for it to stop"
    driver.work(running)

    view = finish(driver, instance)
    assert (view["state"], view["steps"]["ask_builder"]) == ("completed", "cancelled")


@shows(37)
@pytest.mark.parametrize(
    ("broken", "upgrade", "taken"),
    [
        (False, False, []),
        (True, False, ["mend", "test_ride"]),
        (False, True, ["fit_parts", "bill_parts", "test_ride"]),
        (False, True, ["fit_parts", "test_ride", "bill_parts"]),
        (True, True, ["mend", "fit_parts", "bill_parts", "test_ride"]),
        (True, True, ["fit_parts", "bill_parts", "mend", "test_ride"]),
        (True, True, ["fit_parts", "mend", "test_ride", "bill_parts"]),
    ],
)
def test_a_local_synchronizing_merge_waits_for_the_branches_that_are_taken_though_they_overlap(
    driver: Driver, document: str, broken: bool, upgrade: bool, taken: list[str]
) -> None:
    instance = driver.start(document, {"broken": broken, "upgrade": upgrade})
    do(driver, instance, "inspect")

    for path in taken:
        assert "give_back" not in ready(instance)
        do(driver, instance, path)

    assert ready(instance) == {"give_back"}
    view = finish(driver, instance)
    assert done(driver) == ["inspect", *taken, "give_back"]
    assert all(view["steps"][path] == "skipped" for path in view["steps"].keys() - set(done(driver)))
