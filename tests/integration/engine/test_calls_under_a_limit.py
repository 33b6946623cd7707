"""Called workflows with a limit of concurrency: who waits for a place, in which order, and what ends the waiting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from workflows_app.models import DefinitionVersion, Dispatch, Event, Instance, Notice, Slot, SlotKey
from workflows_app.selectors import results
from workflows_app.services import decisions, definitions, instances, slots, sweep, verification

LATHE = flow(
    """
  - {id: turn, activity: core.echo, with: {piece: "${ input.piece }"}, compensate: {activity: core.echo}}
  - {id: clean, activity: core.echo}
""",
    name="lathe",
    head="concurrency: {limit: 1}\noutput: '${ steps.turn.output.piece }'",
)
JOB = flow(
    """
  - {id: make, call: {workflow: lathe, input: {piece: "${ input.n }"}}}
  - {id: ship, activity: core.echo}
""",
    name="job",
    head="output: '${ steps.make.output }'",
)


@pytest.fixture(autouse=True)
def histories_hold(driver: Driver) -> Iterator[None]:
    yield
    check()


def check() -> None:
    """At this very point each history folds to what is stored, and nothing stands that nothing would move."""
    for instance in Instance.objects.all():
        assert verification.check_replay(instance.pk) == [], instance.workflow
        assert verification.verify_history(instance.pk) is None


def publish(*documents: str) -> None:
    for document in documents:
        definitions.publish(text=document, actor="ada")


def jobs(driver: Driver, number: int = 3) -> list[Instance]:
    """So many jobs that have each asked for the lathe, one after the other."""
    started = []
    for n in range(number):
        started.append(driver.start(JOB, {"n": n}, correlation_id=f"job-{n}"))
        hand_over(driver)
    return started


def hand_over(driver: Driver) -> None:
    """What processes hand over after their commits, without any work being done."""
    while driver.hand_over():
        pass


def begin_granted() -> int:
    return slots.start_granted(decisions.begin, limit=sweep.BATCH)


def child(of: Instance) -> Instance:
    return Instance.objects.get(parent=of)


def states(*found: Instance) -> list[str]:
    return [Instance.objects.get(pk=instance.pk).state for instance in found]


def types(instance: Instance) -> list[str]:
    return list(Event.objects.filter(instance=instance).order_by("sequence").values_list("type", flat=True))


def turned(driver: Driver, *, step: str = "turn", role: str = "action") -> int:
    return driver.calls.count((step, role))


def finish(driver: Driver, instance: Instance) -> None:
    while (claim := driver.claim_next(instance.pk)) is not None:
        driver.work(claim)


def test_three_callers_of_one_place_are_served_in_the_order_in_which_they_called(driver: Driver) -> None:
    publish(LATHE)
    first, second, third = jobs(driver)
    assert states(first, second, third) == ["running"] * 3
    assert states(child(first), child(second), child(third)) == ["running", "pending", "pending"]
    assert [results.instance_view(child(job).pk)["waits_for"] for job in (first,)] == [None]
    waits = [results.instance_view(child(job).pk)["waits_for"] for job in (second, third)]
    assert [(wait["before"], wait["limit"], wait["held_by"]) for wait in waits] == [(0, 1, None), (1, 1, None)]
    check()

    served = []
    for job in (first, second, third):
        assert [d.instance_id for d in Dispatch.objects.filter(path="turn")] == [child(job).pk]
        finish(driver, child(job))
        check()
        assert SlotKey.objects.filter(workflow="lathe", held=1).exists() is (job is not third)
        begin_granted()
        hand_over(driver)
        check()
        finish(driver, job)
        served.append(Instance.objects.get(pk=job.pk).output)

    assert served == [0, 1, 2]
    assert states(first, second, third) == ["completed"] * 3
    assert not Slot.objects.exists()
    assert not SlotKey.objects.exists()
    assert not Notice.objects.exists()


def test_one_that_waited_keeps_what_it_was_called_with_and_says_its_input_once(driver: Driver) -> None:
    publish(LATHE)
    jobs(driver, 2)
    waiting = Instance.objects.get(workflow="lathe", state="pending")

    assert types(waiting) == ["instance.created", "instance.accepted"]
    created, accepted = Event.objects.filter(instance=waiting).order_by("sequence")
    assert created.data["input"] == {"piece": 1}
    assert "input" not in accepted.data
    assert (accepted.data["concurrency"], accepted.actor) == ({"key": "", "limit": 1}, "ada")
    driver.advance(7200)
    driver.work_off()

    waiting.refresh_from_db()
    assert types(waiting)[:3] == ["instance.created", "instance.accepted", "instance.started"]
    assert (waiting.output, waiting.correlation_id, waiting.started_by) == (1, "job-1", "ada")
    assert waiting.started_at == driver.now


def test_keys_are_told_apart_by_what_was_handed_to_the_call(driver: Driver) -> None:
    publish(LATHE.replace("{limit: 1}", '{limit: 1, key: "${ input.piece % 2 }"}'))

    first, second, third = jobs(driver)

    assert states(child(first), child(second), child(third)) == ["running", "running", "pending"]
    driver.work_off()
    assert states(first, second, third) == ["completed"] * 3


def test_direct_starts_and_calls_stand_in_one_row(driver: Driver) -> None:
    publish(LATHE)
    (first,) = jobs(driver, 1)
    direct = instances.start(name="lathe", actor="bob", input={"piece": 9})
    second = driver.start(JOB, {"n": 1})
    hand_over(driver)

    assert states(child(first), direct, child(second)) == ["running", "pending", "pending"]
    instances.terminate(instance_id=child(first).pk, actor="ada")
    begin_granted()

    assert states(direct, child(second)) == ["running", "pending"]
    driver.work_off()
    assert states(first, direct, second) == ["failed", "completed", "completed"]


def test_a_called_instance_whose_key_is_none_is_cancelled_and_its_caller_hears_why(driver: Driver) -> None:
    publish(LATHE.replace("{limit: 1}", '{limit: 1, key: "${ input.machine }"}'))

    (job,) = jobs(driver, 1)

    view = results.instance_view(job.pk)
    assert (view["state"], view["error"]["code"]) == ("failed", "CHILD_CANCELLED")
    assert "the concurrency key cannot be evaluated" in view["error"]["message"]
    assert states(child(job)) == ["cancelled"]
    assert not Slot.objects.exists()
    assert not SlotKey.objects.exists()


@pytest.mark.parametrize(
    ("end", "state"),
    [(instances.cancel, "cancelled"), (instances.terminate, "terminated")],
    ids=["cancel", "terminate"],
)
def test_ending_a_caller_ends_what_waits_for_a_place_and_the_next_moves_up(
    driver: Driver, end: Any, state: str
) -> None:
    publish(LATHE)
    first, second, third = jobs(driver)
    middle = child(second)

    end(instance_id=second.pk, actor="ada")
    check()
    hand_over(driver)

    assert states(second, middle) == [state, state]
    assert types(middle) == ["instance.created", "instance.accepted", f"instance.{state}"]
    assert results.instance_view(child(third).pk)["waits_for"]["before"] == 0
    check()
    driver.work_off()
    assert states(first, third) == ["completed", "completed"]
    assert turned(driver) == 2
    assert not Slot.objects.exists()


@pytest.mark.parametrize("end", [instances.cancel, instances.terminate], ids=["cancel", "terminate"])
def test_ending_a_caller_before_its_call_is_handed_over_takes_no_place(driver: Driver, end: Any) -> None:
    publish(LATHE)
    job = driver.start(JOB, {"n": 1})

    end(instance_id=job.pk, actor="ada")
    hand_over(driver)

    assert states(child(job)) == states(job)
    assert not Slot.objects.exists()
    assert not SlotKey.objects.exists()


def test_one_that_was_cancelled_by_itself_before_it_asked_for_a_place_takes_none(driver: Driver) -> None:
    publish(LATHE)
    job = driver.start(JOB, {"n": 1})
    instances.cancel(instance_id=child(job).pk, actor="bob")

    hand_over(driver)

    assert states(job, child(job)) == ["failed", "cancelled"]
    assert not Slot.objects.exists()
    assert not SlotKey.objects.exists()


def test_a_start_that_is_told_twice_asks_for_one_place(driver: Driver) -> None:
    publish(LATHE)
    first, second = jobs(driver, 2)

    for job in (first, second):
        Notice.objects.create(child=child(job).pk, kind="start", due_at=driver.now)
    hand_over(driver)

    assert not Notice.objects.exists()
    assert SlotKey.objects.get().held == 1
    assert types(child(second)) == ["instance.created", "instance.accepted"]


def test_ending_a_caller_whose_call_has_a_place_that_nobody_has_begun_yet_passes_it_on(driver: Driver) -> None:
    publish(LATHE)
    first, second, third = jobs(driver)
    finish(driver, child(first))
    assert Slot.objects.get(instance=child(second)).state == "granted"

    instances.cancel(instance_id=second.pk, actor="ada")
    hand_over(driver)

    assert states(child(second)) == ["cancelled"]
    assert Slot.objects.get().state == "granted"
    assert begin_granted() == 1
    assert states(child(third)) == ["running"]


def test_a_deadline_ends_the_waiting_for_a_place(driver: Driver) -> None:
    publish(LATHE)
    (first,) = jobs(driver, 1)
    hasty = driver.start(
        JOB.replace("name: job", "").replace("}}}", "}}, deadline: 1h}", 1).replace("1.0.0", "1.1.0"), {"n": 1}
    )
    hand_over(driver)

    driver.advance(3600)
    sweep.fire_timers()
    check()
    hand_over(driver)

    view = results.instance_view(hasty.pk)
    assert (view["state"], view["steps"]["make"], view["error"]["code"]) == ("failed", "timed_out", "DEADLINE_EXCEEDED")
    assert states(child(hasty), child(first)) == ["cancelled", "running"]


def test_the_sweep_finds_what_a_process_that_died_left_at_every_point(driver: Driver) -> None:
    publish(LATHE)
    first, second = (driver.start(JOB, {"n": n}) for n in range(2))
    assert states(child(first), child(second)) == ["pending", "pending"]
    check()

    assert sweep.run().handed_over == 2
    assert sorted(states(child(first), child(second))) == ["pending", "running"]
    check()
    holder = child(first) if states(child(first)) == ["running"] else child(second)
    finish(driver, holder)
    check()
    swept = sweep.run()

    assert (swept.begun, swept.handed_over) == (1, 1)
    check()
    driver.work_off()
    assert states(first, second) == ["completed", "completed"]


SAGA = flow(
    """
  - {id: make, call: {workflow: lathe, input: {piece: 1}}}
  - {id: last, activity: core.echo}
""",
    name="saga",
)


def completed_and_next(driver: Driver, number: int = 1) -> tuple[Instance, list[Instance]]:
    """A saga whose lathe is done, and so many further jobs at the lathe."""
    publish(LATHE)
    driver.perform = {"last": fail()}
    saga = driver.start(SAGA)
    hand_over(driver)
    finish(driver, child(saga))
    hand_over(driver)
    return saga, jobs(driver, number)


def test_an_undo_does_not_wait_for_a_place_but_takes_one_and_others_wait_until_it_is_done(driver: Driver) -> None:
    saga, (running, waiting) = completed_and_next(driver, 2)
    undone = child(saga)

    finish(driver, saga)
    hand_over(driver)

    assert states(undone, child(running), child(waiting)) == ["compensating", "running", "pending"]
    assert SlotKey.objects.get().held == 2, "one more than the limit, and counted"
    assert results.instance_view(undone.pk)["waits_for"] is None
    check()
    finish(driver, child(running))
    assert begin_granted() == 0, "the place that is free was never one: the undo has it"
    check()
    finish(driver, undone)
    assert begin_granted() == 1
    check()
    driver.work_off()

    assert states(saga, undone, running, waiting) == ["compensated", "compensated", "completed", "completed"]
    assert not Slot.objects.exists()
    assert not SlotKey.objects.exists()


def test_an_undo_where_nobody_else_is_has_the_place_for_itself(driver: Driver) -> None:
    saga, _ = completed_and_next(driver, 0)
    finish(driver, saga)
    hand_over(driver)
    assert (SlotKey.objects.get().held, Slot.objects.get().places) == (1, 1)

    (job,) = jobs(driver, 1)

    assert states(child(saga), child(job)) == ["compensating", "pending"]
    driver.work_off()
    assert states(saga, job) == ["compensated", "completed"]


@pytest.mark.parametrize("ends", ["fails", "is terminated"])
def test_an_undo_that_does_not_work_gives_its_place_back(driver: Driver, ends: str) -> None:
    saga, _ = completed_and_next(driver, 0)
    driver.perform = {"last": fail(), "undo_turn": fail("STUCK")}
    finish(driver, saga)
    hand_over(driver)

    if ends == "is terminated":
        instances.terminate(instance_id=child(saga).pk, actor="ada")
    driver.work_off()

    assert states(saga) == ["compensation_failed"]
    assert not Slot.objects.exists()
    assert not SlotKey.objects.exists()


def test_an_undo_of_nothing_takes_no_place(driver: Driver) -> None:
    publish(LATHE.replace(", compensate: {activity: core.echo}", ""))
    driver.perform = {"last": fail()}
    saga = driver.start(
        SAGA.replace("id: make,", "id: make, ").replace(
            "}}}", "}}}\n  - {id: pay, activity: core.echo, compensate: {activity: core.echo}}"
        )
    )

    driver.work_off()

    assert (states(saga), states(child(saga))) == (["compensated"], ["completed"])
    assert not Slot.objects.exists()


SELF = flow(
    "  - {id: again, when: 'input.n > 0', call: {workflow: nest, input: {n: '${ input.n - 1 }'}}}",
    name="nest",
    head="concurrency: {limit: 1}",
)


def test_one_that_waits_for_the_place_of_its_own_caller_says_so_and_can_be_ended(driver: Driver) -> None:
    outer = driver.start(SELF, {"n": 1})
    hand_over(driver)

    inner = child(outer)
    wait = results.instance_view(inner.pk)["waits_for"]

    assert (states(outer, inner), wait["held_by"]) == (["running", "pending"], str(outer.pk))
    assert wait["sentence"] == (
        f"Waits for the one place of this workflow; {outer.pk}, which called it and waits for it, holds it: "
        "cancel one of them."
    )
    check()
    instances.cancel(instance_id=outer.pk, actor="ada")
    driver.work_off()
    assert states(outer, inner) == ["cancelled", "cancelled"]
    assert not Slot.objects.exists()


def test_with_places_left_a_row_of_callers_gets_them_and_the_last_waits_for_all_above_it(driver: Driver) -> None:
    outer = driver.start(SELF.replace("limit: 1", "limit: 2"), {"n": 2})
    hand_over(driver)

    middle = child(outer)
    inner = child(middle)
    wait = results.instance_view(inner.pk)["waits_for"]

    assert states(outer, middle, inner) == ["running", "running", "pending"]
    assert wait["held_by"] == str(middle.pk)
    assert wait["sentence"].endswith("waits for it, and those above it hold them all: cancel one of them.")


def test_one_beside_its_caller_waits_for_others_and_says_nothing_of_it(driver: Driver) -> None:
    outer = driver.start(SELF.replace("'${ input.n - 1 }'}", "'${ input.n - 1 }'}, wait: false"), {"n": 1})
    assert states(outer) == ["completed"], "it does not wait"
    hand_over(driver)

    assert states(child(outer)) == ["completed"]


def warnings(text: str) -> list[tuple[str, str]]:
    return [(p.code, p.path) for p in definitions.validate(text=text) if p.code == "SLOT_DEADLOCK"]


HERE = [("SLOT_DEADLOCK", "steps[0].call.workflow")]


@pytest.mark.parametrize(
    ("limit", "call", "found"),
    [
        ("{limit: 1}", "{workflow: flow}", HERE),
        ("{limit: 5}", "{workflow: flow}", HERE),
        ("{limit: 1}", "{workflow: flow, wait: false}", []),
        ('{limit: 1, key: "${ input.k }"}', '{workflow: flow, input: {k: "${input.k}"}}', HERE),
        ('{limit: 1, key: "${ input.k }"}', '{workflow: flow, input: "${ input }"}', HERE),
        ('{limit: 1, key: "${ input.k }"}', '{workflow: flow, input: {k: "${ input.k + 1 }"}}', []),
        ('{limit: 1, key: "${ input.k }"}', '{workflow: flow, input: {k: "${ input.other }"}}', []),
        ('{limit: 1, key: "${ input.k }"}', "{workflow: flow}", []),
        ('{limit: 1, key: "${ lower(input.k) }"}', '{workflow: flow, input: {k: "${ input.k }"}}', []),
    ],
)
def test_a_workflow_that_would_wait_for_its_own_place_is_warned_of_at_publish(
    driver: Driver, limit: str, call: str, found: list[Any]
) -> None:
    text = flow(f"  - {{id: again, call: {call}}}", head=f"concurrency: {limit}")

    assert warnings(text) == found
    assert not [p for p in definitions.validate(text=text) if p.severity == "error"]


def test_the_warning_sees_through_what_lies_between(driver: Driver) -> None:
    top = flow("  - {id: a, call: {workflow: middle}}", name="top", head="concurrency: {limit: 1}")
    publish(flow("  - {id: a, set: {x: 1}}", name="top", head="concurrency: {limit: 1}\nvariables: {x: 0}"))
    publish(flow("  - {id: a, call: {workflow: top}}", name="low"))
    publish(flow("  - {id: a, call: {workflow: low}}", name="middle"))
    assert DefinitionVersion.objects.get(definition__name="middle").calls["low"]["takes"] == ["top"]

    assert warnings(top.replace("1.0.0", "2.0.0")) == HERE
    assert warnings(top.replace("name: top", "").replace("workflow: top", "workflow: other")) == []


def test_the_caller_of_another_workflow_with_a_limit_is_not_warned(driver: Driver) -> None:
    publish(LATHE)

    assert warnings(JOB) == []
    assert warnings(JOB.replace("version: 1.0.0", "version: 1.0.0\nconcurrency: {limit: 1}")) == []
