"""State, cancellation and termination: each definition shows what makes its pattern."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import pytest

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail
from tests.integration.patterns.scenes import (
    DAY,
    HOUR,
    MINUTE,
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
from workflows_app.models import Event, Timer
from workflows_app.services import instances

# State, cancellation, termination


@shows(11)
@pytest.mark.parametrize("order", list(permutations(["deliver", "write_invoice"])), ids="-".join)
def test_an_instance_terminates_implicitly_with_the_last_of_its_ends(
    driver: Driver, document: str, order: tuple[str, str]
) -> None:
    instance = driver.start(document, {"survey": False})
    do(driver, instance, "accept")

    do(driver, instance, order[0])
    assert state(instance) == "running"
    do(driver, instance, order[1])

    assert state(instance) == "completed"
    assert finish(driver, instance)["steps"]["send_survey"] == "skipped"


@shows(11)
def test_an_instance_does_not_terminate_while_something_is_still_to_come(driver: Driver, document: str) -> None:
    instance = driver.start(document, {"survey": True})

    driver.drain()
    assert done(driver) == ["accept", "deliver", "write_invoice"]
    assert ready(instance) == set()
    assert state(instance) == "running", "a survey follows in a week"
    pass_time(driver, 7 * DAY)
    do(driver, instance, "send_survey")

    assert state(instance) == "completed"
    assert set(finish(driver, instance)["steps"].values()) == {"completed"}


@shows(18)
def test_a_step_waits_for_its_milestone(driver: Driver, document: str) -> None:
    instance = driver.start(document, {"call_after": "10m"})

    pass_time(driver, 10 * MINUTE)
    assert states(instance)["customer_calls"] == "completed"
    assert ready(instance) == set(), "the parcel is not on its way yet"
    pass_time(driver, 50 * MINUTE)
    assert ready(instance) == {"redirect"}

    finish(driver, instance)
    assert done(driver) == ["redirect", "deliver"]


@shows(18)
def test_a_step_begins_at_any_time_between_its_milestone_and_the_next(driver: Driver, document: str) -> None:
    instance = driver.start(document, {"call_after": "2h"})

    pass_time(driver, HOUR)
    assert ready(instance) == set(), "the milestone alone does not trigger it"
    pass_time(driver, HOUR)
    assert ready(instance) == {"redirect"}

    finish(driver, instance)
    assert done(driver) == ["redirect", "deliver"]


@shows(18)
def test_a_step_is_skipped_once_its_milestone_has_passed(driver: Driver, document: str) -> None:
    instance = driver.start(document, {"call_after": "5h"})

    view = finish(driver, instance)

    assert done(driver) == ["deliver"]
    assert (view["state"], view["steps"]["redirect"]) == ("completed", "skipped")


@shows(18)
@pytest.mark.parametrize("call_after", ["10m", "2h", "5h"])
def test_a_milestone_is_a_test_that_does_not_hold_up_the_branch_it_looks_at(
    driver: Driver, document: str, call_after: str
) -> None:
    instance = driver.start(document, {"call_after": call_after})

    finish(driver, instance)

    load, door = (Event.objects.get(instance=instance, step=step, type="step.completed") for step in ("load", "drive"))
    assert (door.at - load.at).total_seconds() == 3 * HOUR


@shows(18)
def test_a_step_that_was_handed_out_before_its_milestone_passed_is_not_withdrawn(driver: Driver, document: str) -> None:
    instance = driver.start(document, {"call_after": "2h"})
    pass_time(driver, HOUR)
    pass_time(driver, HOUR)
    assert ready(instance) == {"redirect"}

    pass_time(driver, 2 * HOUR)

    assert ready(instance) == {"redirect", "deliver"}
    finish(driver, instance)


@shows(19)
def test_a_cancelled_task_that_nobody_has_begun_is_withdrawn(driver: Driver, document: str) -> None:
    instance = driver.start(document)
    assert ready(instance) == {"cook", "ask_sommelier"}

    pass_time(driver, 20 * MINUTE)

    assert ready(instance) == {"cook", "choose_wine"}
    view = finish(driver, instance)
    assert "ask_sommelier" not in done(driver)
    assert {path for path, now in view["steps"].items() if now == "cancelled"} == {"ask_sommelier"}
    assert (view["state"], view["steps"]["serve"]) == ("completed", "completed")


@shows(19)
def test_a_cancelled_task_that_runs_is_told_to_stop_and_nothing_else_is(driver: Driver, document: str) -> None:
    driver.perform = {"ask_sommelier": give_up}
    instance = driver.start(document)
    cooking, asking = take(instance, "cook"), take(instance, "ask_sommelier")

    pass_time(driver, 20 * MINUTE)

    assert told_to_stop("ask_sommelier")
    assert not told_to_stop("cook")
    driver.work(asking)
    driver.work(cooking)
    view = finish(driver, instance)
    assert {path for path, now in view["steps"].items() if now == "cancelled"} == {"ask_sommelier"}
    assert (view["state"], view["steps"]["serve"]) == ("completed", "completed")


@shows(19)
def test_a_task_that_completes_although_it_was_told_to_stop_has_completed(driver: Driver, document: str) -> None:
    instance = driver.start(document)
    asking = take(instance, "ask_sommelier")
    pass_time(driver, 20 * MINUTE)

    driver.work(asking)

    view = finish(driver, instance)
    assert (view["state"], view["steps"]["ask_sommelier"]) == ("completed", "completed")
    assert Counter(done(driver))["choose_wine"] == 1


@shows(19)
def test_a_task_that_fails_after_it_was_told_to_stop_does_no_harm(driver: Driver, document: str) -> None:
    driver.perform = {"ask_sommelier": fail()}
    instance = driver.start(document)
    asking = take(instance, "ask_sommelier")
    pass_time(driver, 20 * MINUTE)

    driver.work(asking)

    assert finish(driver, instance)["state"] == "completed"


@shows(19)
def test_a_task_that_completes_in_time_is_not_cancelled(driver: Driver, document: str) -> None:
    instance = driver.start(document)

    do(driver, instance, "cook")
    assert ready(instance) == {"ask_sommelier"}
    do(driver, instance, "ask_sommelier")

    assert ready(instance) == {"choose_wine"}
    assert not Timer.objects.filter(instance=instance).exists(), "nobody waits for the time any more"
    assert finish(driver, instance)["steps"]["ask_sommelier"] == "completed"


@shows(20)
def test_a_cancelled_case_ends_as_cancelled_with_all_that_is_in_it(driver: Driver, document: str) -> None:
    driver.perform = {"value_house": give_up}
    instance = driver.start(document)
    do(driver, instance, "register")
    running = take(instance, "value_house")
    assert states(instance)["cooling_off"] == "waiting"
    assert ready(instance) == {"check_income"}

    instances.cancel(instance_id=instance.pk, actor="ada", reason="the buyers found another house")

    assert ready(instance) == set(), "what nobody has begun is withdrawn"
    assert not Timer.objects.filter(instance=instance).exists()
    assert told_to_stop("value_house")
    assert state(instance) == "running", "what runs is awaited"
    driver.work(running)
    view = finish(driver, instance)
    assert (view["state"], view["cause"]) == ("cancelled", "cancelled")
    assert done(driver) == ["register", "value_house"]
    assert {path for path, now in view["steps"].items() if now == "cancelled"} == {
        "value_house",
        "check_income",
        "cooling_off",
        "offer",
    }


@shows(20)
def test_a_case_can_be_cancelled_at_any_stage(driver: Driver, document: str) -> None:
    for stage in range(4):
        instance = driver.start(document)
        for _ in range(stage):
            claim = driver.claim_next(instance.pk)
            assert claim is not None
            driver.work(claim)

        instances.cancel(instance_id=instance.pk, actor="ada")

        assert finish(driver, instance)["state"] == "cancelled"


@shows(25)
def test_a_cancelled_region_stops_at_every_stage_and_the_rest_goes_on(driver: Driver, document: str) -> None:
    driver.perform = {"search_depot": give_up}
    instance = driver.start(document)
    searching, apologising = take(instance, "search_depot"), take(instance, "apologise")
    assert ready(instance) == {"scan_belt", "ask_neighbours"}
    assert states(instance)["post_notice"] == "waiting"

    do(driver, instance, "scan_belt")

    assert ready(instance) == {"return_parcel"}, "a step that was ready is withdrawn"
    assert not Timer.objects.filter(instance=instance).exists(), "a wait is over"
    assert told_to_stop("search_depot")
    assert not told_to_stop("apologise")
    driver.work(searching)
    driver.work(apologising)
    view = finish(driver, instance)
    region = {"search_depot", "search_vans", "ask_neighbours", "post_notice", "collect_replies"}
    assert {path for path, now in view["steps"].items() if now == "cancelled"} == region
    assert view["state"] == "completed"
    assert {"return_parcel", "apologise", "open_claim"} <= set(done(driver))


@shows(25)
def test_what_follows_inside_a_cancelled_region_does_not_run_though_a_task_of_it_completes(
    driver: Driver, document: str
) -> None:
    instance = driver.start(document)
    searching = take(instance, "search_depot")
    do(driver, instance, "scan_belt")

    driver.work(searching)

    view = finish(driver, instance)
    assert (view["state"], view["steps"]["search_depot"]) == ("completed", "completed")
    assert view["steps"]["search_vans"] == "cancelled"


@shows(25)
def test_a_region_is_cancelled_from_inside_its_middle_too(driver: Driver, document: str) -> None:
    instance = driver.start(document)

    do(driver, instance, "search_depot", "search_vans")

    view = finish(driver, instance)
    cancelled = {path for path, now in view["steps"].items() if now == "cancelled"}
    assert cancelled == {"scan_belt", "ask_neighbours", "post_notice", "collect_replies"}
    assert Counter(done(driver))["return_parcel"] == 1


@shows(43)
def test_an_explicit_termination_completes_the_instance_and_cancels_what_is_under_way(
    driver: Driver, document: str
) -> None:
    driver.perform = {"ask_maker": give_up}
    instance = driver.start(document, {"in_stock": True})
    running = take(instance, "ask_maker")
    assert ready(instance) == {"look_in_stock", "ask_dealers"}

    do(driver, instance, "look_in_stock")

    assert ready(instance) == set()
    assert not Timer.objects.filter(instance=instance).exists()
    assert told_to_stop("ask_maker")
    assert state(instance) == "running", "what runs is awaited"
    driver.work(running)
    view = finish(driver, instance)
    assert (view["state"], view["output"]) == ("completed", {"part": "pump"})
    cancelled = {path for path, now in view["steps"].items() if now == "cancelled"}
    assert cancelled == {"ask_maker", "ask_dealers", "wait_for_auction", "compare", "bought"}


@shows(43)
def test_an_end_that_is_not_reached_terminates_nothing(driver: Driver, document: str) -> None:
    instance = driver.start(document, {"in_stock": False})

    view = finish(driver, instance)

    assert set(done(driver)) == {"look_in_stock", "ask_maker", "ask_dealers", "compare"}
    assert (view["state"], view["output"]) == ("completed", {"part": "new"}), "it came to the other end"
    assert view["steps"]["found"] == "skipped"
