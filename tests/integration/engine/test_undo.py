"""The undo over the real database: side by side where nothing depends on each other, in portions where it is much."""

from __future__ import annotations

import pytest

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from workflows_app.engine.states import StepState
from workflows_app.engine.transitions.repeating import PORTION, REFILL
from workflows_app.models import Dispatch, Event, Instance, Step, Timer
from workflows_app.selectors import results
from workflows_app.services import instances, interventions, slices, steps, sweep, undos, verification

UNDO = "compensate: {activity: core.echo}"
DIAMOND = f"""
  - {{id: first, activity: core.echo, {UNDO}}}
  - {{id: left, activity: core.echo, needs: [first], {UNDO}}}
  - {{id: plain, activity: core.echo, needs: [first]}}
  - {{id: right, activity: core.echo, needs: [plain], {UNDO}}}
  - {{id: last, fail: {{code: NO}}, needs: [left, right]}}
"""


def each(items: str, *, more: str = "", inner: str = "") -> str:
    return f"""
  - id: each
    foreach:
      items: {items}
      {more}
      steps:
        - {{id: book, activity: core.echo, with: {{n: "${{ item }}"}}, {UNDO}}}
        {inner}
  - {{id: last, fail: {{code: NO}}}}
"""


def under_way(instance: Instance) -> set[str]:
    """The steps whose undo has begun and has not ended."""
    return set(Step.objects.filter(instance=instance, state=StepState.COMPENSATING).values_list("path", flat=True))


def undone(instance: Instance) -> list[str]:
    """The undone steps in the order in which that began."""
    events = Event.objects.filter(instance=instance, type="step.compensating").order_by("sequence")
    return list(events.values_list("step", flat=True))


def work_forward(driver: Driver) -> None:
    """Perform what is dispatched until the first undo is."""
    while (row := Dispatch.objects.order_by("id").first()) is not None:
        if Step.objects.get(instance=row.instance_id, path=row.path).state == StepState.COMPENSATING:
            return
        driver.work(driver.claim_next())


def test_branches_are_undone_side_by_side_and_what_they_depended_on_waits_for_both(driver: Driver) -> None:
    instance = driver.start(flow(DIAMOND))
    work_forward(driver)

    assert under_way(instance) == {"left", "right"}
    one, other = driver.claim_next(), driver.claim_next()
    driver.work(other)
    assert under_way(instance) == {one.path}, "the first waits for the other branch too"
    driver.work(one)
    assert under_way(instance) == {"first"}
    driver.drain()
    assert results.instance_view(instance.pk)["state"] == "compensated"
    assert verification.check_replay(instance.pk) == []


def test_an_undo_that_fails_for_good_lets_those_behind_it_begin(driver: Driver) -> None:
    driver.perform = {"undo_left": fail("NO_REFUND")}

    view = driver.run(driver.start(flow(DIAMOND)))

    assert view["state"] == "compensation_failed"
    assert {name: view["steps"][name] for name in ("first", "left", "right")} == {
        "first": "compensated",
        "left": "compensation_failed",
        "right": "compensated",
    }


def test_a_back_off_of_one_undo_does_not_hold_up_the_branch_beside_it(driver: Driver) -> None:
    retry = "compensate: {activity: core.echo, retry: {max_attempts: 2, initial_interval: 1h, jitter: 0}}"
    steps = f"""
  - {{id: slow, activity: core.echo, needs: [], {retry}}}
  - {{id: a, activity: core.echo, needs: [], {UNDO}}}
  - {{id: b, activity: core.echo, needs: [a], {UNDO}}}
  - {{id: last, fail: {{code: NO}}, needs: [slow, b]}}
"""
    driver.perform = {"undo_slow": fail("LATER")}
    instance = driver.start(flow(steps))

    driver.drain()

    assert under_way(instance) == {"slow"}
    assert undone(instance)[-1] == "a"
    assert verification.check_replay(instance.pk) == []
    assert driver.run(instance)["state"] == "compensation_failed"


def test_terminating_fences_off_every_undo_under_way(driver: Driver) -> None:
    instance = driver.start(flow(DIAMOND))
    work_forward(driver)
    running = driver.claim_next()

    instances.terminate(instance_id=instance.pk, actor="ada", reason="enough")

    view = results.instance_view(instance.pk)
    assert view["state"] == "terminated"
    assert (view["steps"]["left"], view["steps"]["right"]) == ("compensation_failed", "compensation_failed")
    assert view["steps"]["first"] == "completed", "its undo never began"
    assert not Dispatch.objects.filter(instance=instance).exists()
    assert steps.succeeded(claim=running, output=1) is False, "a late report changes nothing"
    assert verification.check_replay(instance.pk) == []


def test_terminating_ends_the_undo_of_items_too(driver: Driver) -> None:
    inner = f"- {{id: pay, activity: core.echo, {UNDO}}}"
    instance = driver.start(flow(each(str(list(range(PORTION + 5))), inner=inner)))
    work_forward(driver)
    assert len(under_way(instance)) == PORTION

    instances.terminate(instance_id=instance.pk, actor="ada")

    assert not under_way(instance)
    assert not Dispatch.objects.filter(instance=instance).exists()
    assert not Timer.objects.filter(instance=instance).exists()


# ---------------------------------------------------------------- iterations
def test_items_are_undone_in_portions_from_the_last_on(driver: Driver) -> None:
    number = PORTION + 10
    instance = driver.start(flow(each(str(list(range(number))))))
    work_forward(driver)

    assert len(under_way(instance)) == PORTION
    assert "each[9].book" not in under_way(instance)
    for _ in range(PORTION - REFILL):
        driver.work(driver.claim_next())
    assert len(under_way(instance)) == REFILL + 10, "the next portion begins when half of them have ended"
    driver.drain()
    ended = Instance.objects.get(pk=instance.pk)
    assert (ended.state, ended.undone) == ("compensated", number)
    assert sorted(undone(instance)) == sorted(f"each[{index}].book" for index in range(number))
    assert not Timer.objects.filter(instance=instance).exists()


def test_items_whose_undo_takes_long_hold_up_the_others_for_a_second_only(driver: Driver) -> None:
    instance = driver.start(flow(each(str(list(range(PORTION + 1))))))
    work_forward(driver)
    assert "each[0].book" not in under_way(instance)

    driver.advance(1)
    sweep.fire_timers()

    assert "each[0].book" in under_way(instance)
    driver.drain()
    assert results.instance_view(instance.pk)["state"] == "compensated"


def test_no_more_items_are_undone_at_a_time_than_may_run(driver: Driver) -> None:
    instance = driver.start(flow(each("[1, 2, 3, 4, 5]", more="max_concurrency: 2")))
    work_forward(driver)

    while claim := driver.claim_next():
        assert len(under_way(instance)) <= 2
        driver.work(claim)

    assert undone(instance) == [f"each[{index}].book" for index in (4, 3, 2, 1, 0)]


def test_iterations_inside_iterations_are_undone_as_they_were_gone_through(driver: Driver) -> None:
    inner = f"""
        - id: again
          loop: {{times: 2, steps: [{{id: try, activity: core.echo, {UNDO}}}]}}"""
    instance = driver.start(flow(each("[1, 2]", inner=inner)))
    driver.run(instance)

    order = undone(instance)
    for index in (0, 1):
        mine = [path for path in order if path.startswith(f"each[{index}]")]
        assert mine == [f"each[{index}].again[1].try", f"each[{index}].again[0].try", f"each[{index}].book"]
    assert {path.partition("]")[0] for path in order[:2]} == {"each[0", "each[1"}, "items side by side"
    assert verification.check_replay(instance.pk) == []


@pytest.mark.parametrize("page", [2, 1_000])
def test_where_no_item_had_an_effect_there_is_nothing_to_undo(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(slices, "INSIDE_AT_ONCE", page)
    driver.perform = {f"each[{index}].book": fail("NO_ROOM") for index in range(4)}

    view = driver.run(driver.start(flow(each("[1, 2, 3, 4]", more="tolerate: 4"))))

    assert view["state"] == "failed"


@pytest.mark.parametrize("page", [2, 1_000])
def test_one_item_among_many_that_had_an_effect_is_found(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(slices, "INSIDE_AT_ONCE", page)
    driver.perform = {f"each[{index}].book": fail("NO_ROOM") for index in range(4)}
    instance = driver.start(flow(each("[1, 2, 3, 4, 5]", more="tolerate: 4")))

    assert driver.run(instance)["state"] == "compensated"
    assert undone(instance) == ["each[4].book"]


# ---------------------------------------------------------------- conditions
def asking(when: str, *, error: str = "${ error.code }") -> str:
    """Two steps, of which the undo of the second has a condition."""
    return f"""
  - {{id: plain, activity: core.echo, {UNDO}}}
  - id: paid
    activity: core.echo
    with: {{amount: "${{ input.amount }}"}}
    compensate: {{activity: core.echo, with: {{back: "${{ with.amount }}", why: "{error}"}}, when: "{when}"}}
  - {{id: last, fail: {{code: NO_CARRIER}}}}
"""


def test_a_step_whose_condition_holds_is_undone_and_told_why(driver: Driver) -> None:
    instance = driver.start(flow(asking("output.amount > 0 && error.code == 'NO_CARRIER'")), {"amount": 5})

    view = driver.run(instance)

    assert (view["state"], view["steps"]["paid"]) == ("compensated", "compensated")
    assert Step.objects.get(instance=instance, path="paid").undo_input == {"back": 5, "why": "NO_CARRIER"}


def test_a_step_whose_condition_does_not_hold_stays_and_is_passed(driver: Driver) -> None:
    instance = driver.start(flow(asking("output.amount > 0")), {"amount": 0})

    view = driver.run(instance)

    assert (view["state"], view["steps"]["paid"], view["steps"]["plain"]) == ("compensated", "completed", "compensated")
    assert undone(instance) == ["plain"]
    events = Event.objects.filter(instance=instance, type="step.undo_unneeded")
    assert [event.step for event in events] == ["paid"]
    assert verification.check_replay(instance.pk) == []


def test_where_no_undo_is_needed_the_instance_ends_as_without_any_and_can_be_retried(driver: Driver) -> None:
    only = "{activity: core.echo, when: vars.real}"
    document = f"""
  - {{id: a, activity: core.echo, compensate: {only}}}
  - {{id: b, activity: core.echo, needs: [a], compensate: {only}}}
  - {{id: c, activity: core.echo, needs: [a], compensate: {only}}}
  - {{id: last, activity: core.echo, needs: [b, c]}}
"""
    driver.perform = {"last": fail()}
    instance = driver.start(flow(document, head="variables: {real: false}"))
    assert driver.run(instance)["state"] == "failed"
    assert Instance.objects.get(pk=instance.pk).cause == "failure"
    assert undone(instance) == []

    interventions.retry(instance_id=instance.pk, actor="ada", reason="the carrier is back")
    interventions.pause(instance_id=instance.pk, actor="ada")
    interventions.resume(instance_id=instance.pk, actor="ada", variables={"real": True})

    view = driver.run(instance)
    assert view["state"] == "compensated"
    assert undone(instance)[-1] == "a"
    assert set(undone(instance)) == {"a", "b", "c"}
    assert verification.check_replay(instance.pk) == []


def test_a_condition_that_cannot_be_evaluated_fails_visibly_and_is_not_asked_again(driver: Driver) -> None:
    instance = driver.start(flow(asking("output.nothing > 0")), {"amount": 5})

    view = driver.run(instance)

    assert (view["state"], view["steps"]["paid"]) == ("compensation_failed", "compensation_failed")
    assert Step.objects.get(instance=instance, path="paid").undo_error["code"] == "EXPRESSION_ERROR"
    undos.retry(instance_id=instance.pk, step="paid", actor="ada", reason="it was paid")
    assert driver.run(instance)["state"] == "compensated"
    assert verification.check_replay(instance.pk) == []


def test_a_cancelled_instance_that_needs_no_undo_is_cancelled(driver: Driver) -> None:
    document = """
  - {id: a, activity: core.echo, compensate: {activity: core.echo, when: "error.code != 'CANCELLED'"}}
  - {id: far, wait: {for: 1d}}
"""
    instance = driver.start(flow(document))
    driver.drain()

    instances.cancel(instance_id=instance.pk, actor="ada")

    view = driver.run(instance)
    assert (view["state"], view["cause"], view["steps"]["a"]) == ("cancelled", "cancelled", "completed")
    assert verification.check_replay(instance.pk) == []
