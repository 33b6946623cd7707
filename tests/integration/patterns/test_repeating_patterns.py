"""Multiple instances and iteration: each definition shows what makes its pattern."""

from __future__ import annotations

from collections import Counter
from itertools import permutations
from typing import Any

import pytest

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail
from tests.integration.patterns.scenes import (
    DAY,
    HOUR,
    do,
    done,
    finish,
    give_up,
    pass_time,
    ready,
    shows,
    state,
    states,
    take,
    told_to_stop,
)
from workflows_app.models import Attempt, Instance, Timer
from workflows_app.services import machines


def cancelled(instance: Instance) -> set[str]:
    return {path for path, now in states(instance).items() if now == "cancelled"}


def each(block: str, step: str, *indexes: int) -> list[str]:
    return [f"{block}[{index}].{step}" for index in indexes]


# Multiple instances


@shows(12)
def test_instances_without_synchronization_run_side_by_side_and_nothing_waits_for_them(
    driver: Driver, document: str
) -> None:
    notices = each("notices", "send_notice", 0, 1, 2)
    instance = driver.start(document, {"fines": [30, 40, 50]})
    do(driver, instance, "read_list")

    assert ready(instance) == {"file_list", *notices}
    do(driver, instance, "file_list")
    running = [take(instance, path) for path in notices]
    assert Attempt.objects.filter(instance=instance, state="running").count() == 3, "at the same time"
    for claim in reversed(running):
        assert state(instance) == "running"
        driver.work(claim)

    assert finish(driver, instance)["state"] == "completed"
    assert done(driver) == ["read_list", "file_list", *reversed(notices)]
    assert [claim.parameters for claim in running] == [{"fine": 30}, {"fine": 40}, {"fine": 50}], "one case, its data"


@shows(12)
def test_instances_without_synchronization_do_not_depend_on_one_another(driver: Driver, document: str) -> None:
    driver.perform = {"notices[0].send_notice": fail()}
    instance = driver.start(document, {"fines": [30, 40, 50]})
    do(driver, instance, "read_list", "notices[0].send_notice")

    assert ready(instance) == {"file_list", *each("notices", "send_notice", 1, 2)}

    view = finish(driver, instance)
    assert view["state"] == "completed"
    assert view["steps"]["notices[2].send_notice"] == "completed"


@shows(13)
@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_as_many_instances_as_the_definition_says_run_side_by_side_and_are_awaited(
    driver: Driver, document: str, order: tuple[int, ...]
) -> None:
    instance = driver.start(document)
    assert ready(instance) == set(each("signatures", "sign", 0, 1, 2))
    running = {index: take(instance, f"signatures[{index}].sign") for index in range(3)}

    for index in order:
        assert states(instance)["send"] == "pending"
        driver.work(running[index])

    assert ready(instance) == {"send"}
    assert take(instance, "send").parameters == {"signed_by": ["chair", "treasurer", "secretary"]}


@shows(14)
@pytest.mark.parametrize("many", [0, 1, 3, 200])
def test_how_many_instances_run_is_known_when_the_first_of_them_begins(
    driver: Driver, document: str, many: int
) -> None:
    driver.perform = {"read_report": lambda claim: {"witnesses": [f"witness {n}" for n in range(many)]}}
    instance = driver.start(document)
    assert ready(instance) == {"read_report"}

    view = finish(driver, instance)

    assert view["state"] == "completed"
    first, *asked, last = done(driver)
    assert (first, last) == ("read_report", "decide"), "after all of them, once"
    assert Counter(asked) == Counter(each("statements", "ask_witness", *range(many))), "each once"


@shows(14)
def test_instances_that_run_time_counts_run_side_by_side_and_are_awaited(driver: Driver, document: str) -> None:
    driver.perform = {"read_report": lambda claim: {"witnesses": ["ada", "bob"]}}
    instance = driver.start(document)
    do(driver, instance, "read_report")
    assert ready(instance) == set(each("statements", "ask_witness", 0, 1))
    second = take(instance, "statements[1].ask_witness")
    do(driver, instance, "statements[0].ask_witness")

    assert ready(instance) == set()
    driver.work(second)

    assert ready(instance) == {"decide"}


# Iteration


@shows(21)
@pytest.mark.parametrize("wanted", [0, 1, 3])
def test_a_loop_with_while_tests_before_each_round(driver: Driver, document: str, wanted: int) -> None:
    instance = driver.start(document, {"wanted": wanted})

    for index in range(wanted):
        assert ready(instance) == {f"filling[{index}].pump"}, "one round after the other"
        do(driver, instance, f"filling[{index}].pump")

    assert ready(instance) == {"sealing[0].seal"}, "one way out"
    view = finish(driver, instance)
    assert [path for path in view["steps"] if path.endswith(".pump")] == each("filling", "pump", *range(wanted))


@shows(21)
@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_a_loop_with_until_tests_after_each_round(driver: Driver, document: str, rounds: int) -> None:
    def inspect(claim: Any) -> Any:
        return {"tight": claim.path == f"sealing[{rounds - 1}].inspect"}

    driver.perform = {f"sealing[{index}].inspect": inspect for index in range(rounds)}
    instance = driver.start(document, {"wanted": 0})

    for index in range(rounds):
        assert ready(instance) == {f"sealing[{index}].seal"}, "at least once"
        do(driver, instance, f"sealing[{index}].seal", f"sealing[{index}].inspect")

    assert ready(instance) == {"hand_over"}
    assert finish(driver, instance)["state"] == "completed"


# Cancellation and forced completion


@shows(26)
def test_cancelled_instances_are_withdrawn_and_completed_ones_are_unaffected(driver: Driver, document: str) -> None:
    driver.perform = {"searches[1].search": give_up}
    instance = driver.start(document)
    do(driver, instance, "searches[0].search", "searches[0].copy", "searches[2].search")
    running, draft = take(instance, "searches[1].search"), take(instance, "write_draft")
    assert ready(instance) == {"searches[2].copy", "searches[3].search", "searches[4].search"}

    pass_time(driver, HOUR)

    assert ready(instance) == {"close_search"}, "what nobody has begun is withdrawn"
    assert told_to_stop("searches[1].search")
    assert not told_to_stop("write_draft")
    driver.work(running)
    driver.work(draft)
    view = finish(driver, instance)
    assert view["state"] == "completed"
    assert cancelled(instance) == {
        "searches",
        "searches[1].search",
        "searches[1].copy",
        "searches[2].copy",
        *each("searches", "search", 3, 4),
        *each("searches", "copy", 3, 4),
    }
    assert {view["steps"][path] for path in ("searches[0].search", "searches[0].copy", "searches[2].search")} == {
        "completed"
    }


@shows(26)
def test_of_cancelled_instances_no_further_one_begins(driver: Driver, document: str) -> None:
    instance = driver.start(document)
    running = take(instance, "searches[0].search")
    pass_time(driver, HOUR)

    driver.work(running)

    view = finish(driver, instance)
    assert view["steps"]["searches[0].search"] == "completed", "it completed although it was told to stop"
    assert view["steps"]["searches[0].copy"] == "cancelled"
    assert "searches[4].search" not in view["steps"]
    assert set(done(driver)) == {"searches[0].search", "write_draft", "close_search"}


@shows(26)
def test_instances_that_complete_in_time_are_not_cancelled(driver: Driver, document: str) -> None:
    instance = driver.start(document)
    driver.drain()

    assert not Timer.objects.filter(instance=instance, kind="wait").exists()
    finish(driver, instance)
    assert cancelled(instance) == {"time_is_up"}


@shows(27)
def test_forced_completion_withdraws_the_remaining_instances_and_goes_on(driver: Driver, document: str) -> None:
    driver.perform = {"poll[2].ask": give_up}
    instance = driver.start(document)
    do(driver, instance, "poll[3].ask", "poll[0].ask")
    running = take(instance, "poll[2].ask")
    assert ready(instance) == {"poll[1].ask"}

    pass_time(driver, 2 * DAY)

    assert ready(instance) == {"count"}, "it goes on at once; nobody else is asked"
    assert told_to_stop("poll[2].ask")
    counting = take(instance, "count")
    assert counting.parameters == {"answers": ["dan", "ada"]}, "what has completed counts"
    driver.work(counting)
    driver.work(running)
    view = finish(driver, instance)
    assert (view["state"], view["steps"]["announce"]) == ("completed", "completed")
    assert {"poll[1].ask", "poll[2].ask"} <= cancelled(instance)


@shows(27)
def test_without_forced_completion_all_instances_are_awaited(driver: Driver, document: str) -> None:
    instance = driver.start(document)

    for index in (1, 0, 3, 2):
        assert states(instance)["count"] == "pending"
        do(driver, instance, f"poll[{index}].ask")

    assert take(instance, "count").parameters == {"answers": ["bob", "ada", "dan", "cyd"]}
    assert not Timer.objects.filter(instance=instance, kind="wait").exists()


# Partial joins


@shows(34)
@pytest.mark.parametrize("order", list(permutations(range(4), 2)), ids=str)
def test_a_partial_join_of_instances_goes_on_once_with_the_nth_and_lets_the_others_finish(
    driver: Driver, document: str, order: tuple[int, ...]
) -> None:
    instance = driver.start(document, {"samples": [10, 20, 30, 40]})
    first, second = each("tests", "test", *order)
    third, fourth = (path for path in each("tests", "test", *range(4)) if path not in (first, second))
    running = take(instance, third)

    do(driver, instance, first)
    assert states(instance)["release"] == "pending"
    do(driver, instance, second)

    assert ready(instance) == {"release", fourth}, "nobody is withdrawn"
    assert not told_to_stop(third)
    do(driver, instance, "release", fourth)
    assert state(instance) == "running", "the last one is under way"
    driver.work(running)
    view = finish(driver, instance)
    assert done(driver) == [first, second, "release", fourth, third], "the others changed nothing"
    assert set(view["steps"].values()) == {"completed"}


@shows(34)
def test_a_partial_join_of_too_few_instances_fails(driver: Driver, document: str) -> None:
    instance = driver.start(document, {"samples": [10]})

    view = finish(driver, instance)

    assert (view["state"], view["error"]["code"]) == ("failed", "JOIN_UNREACHABLE")


@shows(35)
def test_a_cancelling_partial_join_of_instances_goes_on_with_the_nth_and_cancels_the_others(
    driver: Driver, document: str
) -> None:
    driver.perform = {"calls[0].call": give_up}
    instance = driver.start(document, {"members": ["ada", "bob", "cyd", "dan", "eve", "fay"]})
    running = take(instance, "calls[0].call")

    do(driver, instance, "calls[3].call")
    assert ready(instance) == set(each("calls", "call", 1, 2, 4)), "another one begins where one has ended"
    do(driver, instance, "calls[1].call")

    assert ready(instance) == {"open_stand"}
    assert told_to_stop("calls[0].call")
    opening = take(instance, "open_stand")
    assert opening.parameters["calls"] == [None, {"member": "bob"}, None, {"member": "dan"}, None, None]
    driver.work(opening)
    driver.work(running)
    view = finish(driver, instance)
    assert view["state"] == "completed"
    assert cancelled(instance) == set(each("calls", "call", 0, 2, 4))
    assert "calls[5].call" not in view["steps"], "it has not even begun"


@shows(10)
@pytest.mark.parametrize(
    ("events", "tasks", "end", "reviews"),
    [
        (["new", "submitted", "praised"], ["draft", "review"], "accepted", 1),
        (
            ["new", "submitted", "criticised", "submitted", "rejected", "submitted", "praised"],
            ["draft", "review", "correct", "review", "draft_anew", "review"],
            "accepted",
            3,
        ),
        (
            ["printed_before", "submitted", "criticised", "tired"],
            ["mark_up", "review", "correct"],
            "withdrawn",
            1,
        ),
    ],
)
def test_a_cycle_is_entered_and_left_in_more_than_one_place(
    driver: Driver, document: str, events: list[str], tasks: list[str], end: str, reviews: int
) -> None:
    begun: list[str] = []
    instance = driver.start(document)

    for event in events:
        machines.send_event(instance_id=instance.pk, event=event, actor="ada")
        claim = driver.claim_next(instance.pk)
        if claim is not None:
            begun.append(claim.parameters["task"])
            driver.work(claim)

    assert begun == tasks
    ended = Instance.objects.get(pk=instance.pk)
    assert (ended.state, ended.machine_state, ended.output) == ("completed", end, {"reviews": reviews})
