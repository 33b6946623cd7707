"""What a join waits for, and what becomes of those that it does not wait for: over the real database."""

from __future__ import annotations

import pytest

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from workflows_app.engine.errors import AttemptCancelled
from workflows_app.models import Attempt, Dispatch, Event, Instance, Timer
from workflows_app.selectors import results
from workflows_app.services import steps, sweep, verification

THREE = """
  - {id: a, activity: core.echo, needs: []}
  - {id: b, activity: core.echo, needs: []}
  - {id: c, wait: {for: 1d}, needs: []}
"""
OFFERS = """
  - id: offers
    parallel:
      %s
      branches:
        one: [{id: a, activity: core.echo, with: {v: 1}}]
        two: [{id: b, activity: core.echo, with: {v: 2}}]
        three: [{id: c, wait: {for: 1h}}, {id: d, activity: core.echo, with: {v: 3}}]
  - {id: after, activity: core.echo}
"""


def states(instance: Instance) -> dict[str, str]:
    return dict(results.instance_view(instance.pk)["steps"])


def test_a_step_goes_on_with_as_many_completed_dependencies_as_it_says(driver: Driver) -> None:
    instance = driver.start(flow(THREE + "  - {id: two, activity: core.echo, needs: [a, b, c], join: {at_least: 2}}"))

    first = driver.claim_next(instance.pk)
    driver.work(first)
    assert states(instance)["two"] == "pending"
    driver.drain()

    assert states(instance) | {"two": "completed", "c": "waiting"} == states(instance)
    assert driver.run(instance)["state"] == "completed"


def test_a_step_fails_as_soon_as_too_few_dependencies_are_left(driver: Driver) -> None:
    driver.perform = {"a": fail(), "b": fail()}
    forgiving = THREE.replace("core.echo,", "core.echo, on_error: continue,")
    instance = driver.start(
        flow(forgiving + "  - {id: two, activity: core.echo, needs: [a, b, c], join: {at_least: 2}}")
    )

    driver.drain()

    view = results.instance_view(instance.pk)
    assert view["state"] == "failed"
    assert view["error"]["code"] == "JOIN_UNREACHABLE"
    assert "fewer than 2 of a, b, c can complete" in view["error"]["message"]
    assert view["steps"]["c"] == "cancelled"


def test_the_rest_is_cancelled_with_what_leads_only_to_it(driver: Driver) -> None:
    document = flow(
        """
  - {id: quick, activity: core.echo, needs: []}
  - {id: pause, wait: {for: 1d}, needs: []}
  - {id: slow, activity: core.echo, needs: [pause]}
  - {id: shared, wait: {for: 1h}, needs: []}
  - {id: other, activity: core.echo, needs: [shared]}
  - {id: first, activity: core.echo, needs: [quick, slow, shared], join: any, rest: cancel}
"""
    )
    instance = driver.start(document)

    driver.drain()

    now = states(instance)
    assert (now["pause"], now["slow"], now["first"]) == ("cancelled", "cancelled", "completed")
    assert now["shared"] == "waiting", "another step waits for it"
    assert Timer.objects.filter(path="pause").count() == 0
    view = driver.run(instance)
    assert view["state"] == "completed"
    assert view["steps"]["other"] == "completed"
    assert verification.check_replay(instance.pk) == []


def test_a_running_loser_is_told_and_ends_as_cancelled(driver: Driver) -> None:
    instance = driver.start(flow(RACE_OF_STEPS))
    slow = driver.claim_next(instance.pk)
    assert slow.path == "slow"

    driver.drain()

    assert Attempt.objects.get(path="slow").stop_requested
    assert states(instance)["first"] == "completed"
    assert Instance.objects.get(pk=instance.pk).state == "running", "it is awaited"
    driver.perform = {"slow": give_up}
    driver.work(slow)
    assert states(instance)["slow"] == "cancelled"
    assert Instance.objects.get(pk=instance.pk).state == "completed"
    assert verification.check_replay(instance.pk) == []


def test_a_loser_that_completes_all_the_same_is_recorded_and_undone_where_that_is_needed(driver: Driver) -> None:
    driver.perform = {"last": fail()}
    instance = driver.start(flow(RACE_OF_STEPS + "  - {id: last, activity: core.echo}"))
    slow = driver.claim_next(instance.pk)
    while (claim := driver.claim_next(instance.pk)) is not None and claim.path != "last":
        driver.work(claim)

    steps.succeeded(claim=slow, output={"done": "all the same"})
    driver.work(claim)
    view = driver.run(instance)

    assert view["state"] == "compensated"
    assert view["steps"]["slow"] == "compensated"
    assert verification.check_replay(instance.pk) == []


RACE_OF_STEPS = """
  - {id: slow, activity: core.echo, needs: [], compensate: {activity: core.echo}}
  - {id: quick, activity: core.echo, needs: []}
  - {id: first, activity: core.echo, needs: [slow, quick], join: any, rest: cancel}
"""


@pytest.mark.parametrize("policy", ["fail", "continue", "{output: 1}", "{fallback: {activity: core.echo}}"])
def test_a_loser_that_fails_after_all_harms_nobody(driver: Driver, policy: str) -> None:
    driver.perform = {"slow": fail()}
    instance = driver.start(flow(RACE_OF_STEPS.replace("needs: [],", f"needs: [], on_error: {policy},", 1)))
    slow = driver.claim_next(instance.pk)
    driver.drain()

    driver.work(slow)

    view = results.instance_view(instance.pk)
    assert (view["state"], view["steps"]["slow"]) == ("completed", "failed")
    assert verification.check_replay(instance.pk) == []


def test_a_loser_that_runs_out_of_time_harms_nobody(driver: Driver) -> None:
    instance = driver.start(flow(RACE_OF_STEPS))
    assert driver.claim_next(instance.pk).path == "slow"
    driver.drain()

    driver.advance(3600)
    sweep.end_overdue_attempts()

    view = results.instance_view(instance.pk)
    assert view["state"] == "completed"
    assert view["steps"]["slow"] in ("timed_out", "failed")
    assert verification.check_replay(instance.pk) == []


def test_what_fails_in_a_block_that_lost_stays_in_it(driver: Driver) -> None:
    driver.perform = {"slow": fail()}
    document = flow(
        """
  - id: block
    needs: []
    parallel: {branches: {only: [{id: slow, activity: core.echo}, {id: more, activity: core.echo}]}}
  - {id: quick, activity: core.echo, needs: []}
  - {id: first, activity: core.echo, needs: [block, quick], join: any, rest: cancel}
"""
    )
    instance = driver.start(document)
    claims = {claim.path: claim for claim in (driver.claim_next(instance.pk), driver.claim_next(instance.pk))}
    driver.work(claims["quick"])
    driver.drain()

    driver.work(claims["slow"])

    view = results.instance_view(instance.pk)
    assert view["state"] == "completed"
    assert (view["steps"]["block"], view["steps"]["slow"]) == ("cancelled", "failed")
    assert verification.check_replay(instance.pk) == []


def test_two_joins_that_need_the_same_cancel_it_together(driver: Driver) -> None:
    again = RACE_OF_STEPS.splitlines()[-1].replace("first", "second")
    instance = driver.start(
        flow(
            RACE_OF_STEPS.replace("activity: core.echo, needs: [], comp", "wait: {for: 1d}, needs: [], comp").replace(
                ", compensate: {activity: core.echo}", ""
            )
            + again
        )
    )

    driver.drain()

    assert states(instance) == {"slow": "cancelled", "quick": "completed", "first": "completed", "second": "completed"}
    assert Instance.objects.get(pk=instance.pk).state == "completed"


def give_up(claim: object) -> None:
    raise AttemptCancelled("told to stop")


@pytest.mark.parametrize("join", ["join: any", "join: {at_least: 2}"])
def test_a_race_of_branches_is_decided_by_as_many_as_it_says(driver: Driver, join: str) -> None:
    instance = driver.start(flow(OFFERS % join))

    driver.drain()

    output = Event.objects.get(instance=instance, step="offers", type="step.completed").data["output"]
    assert output == {"one": {"v": 1}, "two": None if "any" in join else {"v": 2}, "three": None}
    assert states(instance)["after"] == "completed"
    view = driver.run(instance)
    assert (view["state"], view["steps"]["d"]) == ("completed", "completed"), "the rest finishes"


def test_the_losing_branches_of_a_race_are_cancelled_where_it_says_so(driver: Driver) -> None:
    instance = driver.start(flow(OFFERS % "join: any\n      rest: cancel"))
    driver.work(driver.claim_next(instance.pk))

    now = states(instance)

    assert (now["b"], now["c"]) == ("cancelled", "cancelled")
    assert "d" not in now or now["d"] == "cancelled"
    assert list(Dispatch.objects.values_list("path", flat=True)) == ["after"]
    view = driver.run(instance)
    assert view["state"] == "completed"
    assert [path for path, _ in driver.calls] == ["a", "after"]
    assert verification.check_replay(instance.pk) == []


def test_a_race_ends_as_soon_as_too_few_branches_are_left(driver: Driver) -> None:
    driver.perform = {"a": fail(), "b": fail()}
    instance = driver.start(flow(OFFERS % "join: {at_least: 2}"))

    driver.drain()

    view = results.instance_view(instance.pk)
    assert view["state"] == "failed"
    assert view["error"]["code"] == "JOIN_UNREACHABLE"
    assert view["steps"]["c"] == "cancelled"
    assert verification.check_replay(instance.pk) == []


@pytest.mark.parametrize(
    ("tolerate", "failing", "state"), [(1, "a", "completed"), (1, "ab", "failed"), (2, "ab", "completed")]
)
def test_a_block_forgives_as_many_failed_branches_as_it_says(
    driver: Driver, tolerate: int, failing: str, state: str
) -> None:
    driver.perform = {path: fail() for path in failing}
    instance = driver.start(flow(OFFERS % f"tolerate: {tolerate}"))

    view = driver.run(instance)

    assert view["state"] == state
    if state == "completed":
        output = Event.objects.get(instance=instance, step="offers", type="step.completed").data["output"]
        assert output["one"] is None
        assert output["three"] == {"v": 3}
    assert verification.check_replay(instance.pk) == []


@pytest.mark.parametrize(
    ("tolerate", "failing", "state"), [(1, "a", "completed"), (1, "ab", "failed"), (2, "ab", "completed")]
)
def test_a_step_forgives_as_many_failed_dependencies_as_it_says(
    driver: Driver, tolerate: int, failing: str, state: str
) -> None:
    driver.perform = {path: fail() for path in failing}
    joined = f"  - {{id: all, activity: core.echo, needs: [a, b, c], tolerate: {tolerate}}}"
    instance = driver.start(flow(THREE + joined))

    view = driver.run(instance)

    assert view["state"] == state
    assert view["steps"]["a"] == "failed"
    assert view["steps"].get("all") == ("completed" if state == "completed" else view["steps"].get("all"))


def test_a_failure_that_only_some_of_its_successors_forgive_is_a_failure(driver: Driver) -> None:
    driver.perform = {"a": fail()}
    both = "  - {id: x, activity: core.echo, needs: [a, b], tolerate: 1}\n  - {id: y, activity: core.echo, needs: [a]}"

    view = driver.run(driver.start(flow(THREE + both)))

    assert (view["state"], view["error"]["code"]) == ("failed", "BROKEN")


GOTO = """
  - {id: charge, activity: core.echo, on_error: {goto: tell}}
  - {id: pack, activity: core.echo}
  - {id: aside, activity: core.echo, needs: []}
  - {id: send, activity: core.echo, needs: [pack, aside]}
  - {id: tell, activity: core.echo, with: {why: "${ steps.charge.error == null ? '' : steps.charge.error.code }"}}
"""


def test_a_failed_step_goes_to_a_later_one_and_what_lies_between_is_skipped(driver: Driver) -> None:
    driver.perform = {"charge": fail()}
    instance = driver.start(flow(GOTO, head='output: "${ steps.tell.output.why }"'))

    view = driver.run(instance)

    assert view["state"] == "completed"
    assert view["output"] == "BROKEN"
    expected = {"charge": "failed", "pack": "skipped", "aside": "completed", "send": "skipped", "tell": "completed"}
    assert view["steps"] == expected
    skipped = Event.objects.filter(instance=instance, type="step.skipped").values_list("step", "data__reason")
    assert list(skipped) == [("pack", "goto"), ("send", "goto")]
    assert verification.check_replay(instance.pk) == []


def test_without_a_failure_nothing_is_skipped(driver: Driver) -> None:
    view = driver.run(driver.start(flow(GOTO, head='output: "${ steps.tell.output.why }"')))

    assert view["output"] == ""
    assert set(view["steps"].values()) == {"completed"}


LATE = """
  - {id: early, activity: core.echo, needs: []}
  - {id: late, wait: {for: 1d}, needs: []}
  - {id: own_way, wait: {for: 2d}, needs: []}
  - {id: own_end, activity: core.echo, needs: [own_way]}
  - {id: sum_up, activity: core.echo, needs: [early, late, own_way], join_deadline: 1h %s}
"""


def test_a_join_that_waits_for_all_goes_on_without_the_late_ones_after_its_deadline(driver: Driver) -> None:
    instance = driver.start(flow(LATE % ""))
    driver.drain()
    assert Timer.objects.get(path="sum_up").kind == "join"

    driver.advance(3601)
    sweep.fire_timers()
    driver.drain()

    now = states(instance)
    assert (now["sum_up"], now["late"]) == ("completed", "waiting")
    assert driver.run(instance)["state"] == "completed"
    assert verification.check_replay(instance.pk) == []


def test_after_its_deadline_a_join_cancels_what_it_no_longer_waits_for(driver: Driver) -> None:
    instance = driver.start(flow(LATE % ", rest: cancel"))
    driver.drain()

    driver.advance(3601)
    sweep.fire_timers()
    driver.drain()

    now = states(instance)
    assert (now["sum_up"], now["late"], now["own_way"]) == ("completed", "cancelled", "waiting")
    assert driver.run(instance)["steps"]["own_end"] == "completed"
    assert verification.check_replay(instance.pk) == []


def test_a_join_of_so_many_fails_where_they_are_not_complete_in_time(driver: Driver) -> None:
    instance = driver.start(flow(LATE % ", join: {at_least: 2}"))

    view = driver.run(instance)

    assert view["state"] == "failed"
    assert view["error"]["code"] == "DEADLINE_EXCEEDED"
    assert "1 of early, late, own_way completed in time, 2 were needed" in view["error"]["message"]
    assert view["steps"]["sum_up"] == "timed_out"
    assert verification.check_replay(instance.pk) == []


def test_a_join_in_time_leaves_no_timer(driver: Driver) -> None:
    instance = driver.start(flow(LATE.replace("1d", "1m").replace("2d", "2m") % ""))

    view = driver.run(instance)

    assert view["state"] == "completed"
    assert view["ended_at"] < driver.now.isoformat().replace("00:02:00", "01:00:00")
    assert Timer.objects.count() == 0


def test_what_a_goto_skips_depends_on_the_step_that_failed(driver: Driver) -> None:
    driver.perform = {"charge": fail()}
    document = flow(
        GOTO.replace("needs: [pack, aside]", "needs: [aside]").replace("{id: tell,", "{id: tell, needs: [pack, send],")
    )

    view = driver.run(driver.start(document))

    assert view["steps"]["pack"] == "skipped"
    assert view["steps"]["send"] == "completed", "it does not wait for the step that failed"
