"""State machines over PostgreSQL: events, actions, time-outs, undo, the queue, refusals; every history replays."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.driver import Driver
from tests.integration.engine.order_machine import ORDER, events, paid, send, state
from tests.integration.engine.outcomes import fail, fail_times
from workflows_app.engine.errors import OrchestratorError
from workflows_app.models import Dispatch, Event, Instance, Step, Timer
from workflows_app.services import sweep, verification


def refusal(instance: Instance, event: str, data: Any = None, **more: Any) -> OrchestratorError:
    before = Event.objects.filter(instance=instance).count()
    with pytest.raises(OrchestratorError) as refused:
        send(instance, event, data, **more)
    assert Event.objects.filter(instance=instance).count() == before, "a refusal writes nothing"
    return refused.value


# ---------------------------------------------------------------- the straight road
def test_events_lead_from_state_to_state_and_a_terminal_state_ends_the_instance(driver: Driver) -> None:
    instance = driver.start(ORDER)
    assert state(instance) == "created"

    send(instance, "checked", {"order": "o1"})
    assert state(instance) == "created"
    driver.drain()
    assert state(instance) == "pending"
    send(instance, "pay", 5)
    driver.drain()
    assert state(instance) == "paid"
    send(instance, "ship")

    ended = Instance.objects.get(pk=instance.pk)
    assert ended.state == "completed"
    assert ended.output == {"in": "shipped", "attempts": 1, "check": {"order": "o1", "at": "created"}}
    assert [path for path, _ in driver.calls] == ["checked[0].echo", "pay[1].echo", "pay[1].echo_2"]
    assert Step.objects.get(instance=instance, path="pay[1].echo_2").input == {"mail": "paid"}
    assert [(each["from"], each["to"], each["by"]) for each in events(instance, "machine.moved")] == [
        (None, "created", "start"),
        ("created", "pending", "event"),
        ("pending", "paid", "event"),
        ("paid", "shipped", "event"),
    ]
    assert not Timer.objects.filter(instance=instance).exists()


def test_the_first_transition_whose_condition_holds_is_taken(driver: Driver) -> None:
    document = """
workflow: sized
version: 1.0.0
kind: state_machine
initial: new
states: {new: {}, large: {terminal: true}, small: {terminal: true}}
transitions:
  - {from: new, to: large, event: sized, when: event.data > 9}
  - {from: new, to: small, event: sized}
output: "${ state }"
"""
    first, second = driver.start(document), driver.start(document)

    send(first, "sized", 10)
    send(second, "sized", 3)

    assert Instance.objects.get(pk=first.pk).output == "large"
    assert Instance.objects.get(pk=second.pk).output == "small"


# ---------------------------------------------------------------- refusals
def test_an_idle_machine_refuses_an_event_that_leads_nowhere_and_writes_nothing(driver: Driver) -> None:
    instance = driver.start(ORDER)

    nowhere, unknown = refusal(instance, "ship"), refusal(instance, "dance")

    assert (nowhere.code, unknown.code) == ("INVALID_TRANSITION", "INVALID_TRANSITION")
    assert nowhere.details == {"state": "created", "possible": ["checked", "cancel"]}
    assert "checked, cancel" in nowhere.message


def test_a_condition_that_does_not_hold_or_cannot_be_told_refuses(driver: Driver) -> None:
    instance = driver.start(ORDER)
    send(instance, "checked", {"order": "o1"})
    driver.drain()

    assert refusal(instance, "pay", 0).code == "CONDITION_NOT_MET"
    assert refusal(instance, "pay", "five").code == "EXPRESSION_ERROR"
    assert state(instance) == "pending"


def test_an_event_for_another_version_than_expected_is_a_conflict(driver: Driver) -> None:
    instance = driver.start(ORDER)
    seen = Instance.objects.get(pk=instance.pk).sequence
    send(instance, "checked", {"order": "o1"}, expected_version=seen)

    late = refusal(instance, "cancel", expected_version=seen)

    actual = Instance.objects.get(pk=instance.pk).sequence
    assert (late.code, late.details) == ("CONCURRENCY_CONFLICT", {"expected": seen, "actual": actual})


def test_an_ended_machine_and_a_flow_take_no_events(driver: Driver) -> None:
    ended = driver.start(ORDER)
    send(ended, "cancel")
    flow = driver.start("workflow: f\nversion: 1.0.0\nsteps: [{id: a, wait: {for: 1d}}]")

    assert refusal(ended, "cancel").code == "STATE_FORBIDS"
    assert refusal(flow, "cancel").code == "NOT_A_MACHINE"


@pytest.mark.parametrize(("event", "data"), [("", None), ("x" * 201, None), ("a\nb", None), ("pay", float("nan"))])
def test_an_event_that_cannot_be_stored_is_refused(driver: Driver, event: str, data: Any) -> None:
    instance = driver.start(ORDER)

    assert refusal(instance, event, data).code in {"INPUT_INVALID", "NOT_JSON"}


# ---------------------------------------------------------------- one event at a time
def test_events_that_come_while_an_action_runs_wait_and_a_refusal_at_their_turn_is_recorded(driver: Driver) -> None:
    instance = driver.start(ORDER)
    send(instance, "checked", {"order": "o1"})
    claim = driver.claim_next(instance.pk)

    send(instance, "ship")
    send(instance, "pay", 7)
    assert [each["type"] for each in Instance.objects.get(pk=instance.pk).machine_queue] == ["ship", "pay"]
    assert Dispatch.objects.filter(instance=instance).count() == 0
    driver.work(claim)
    driver.drain()

    assert state(instance) == "paid"
    refused = events(instance, "machine.event_refused")
    assert [(each["event"]["type"], each["error"]["code"]) for each in refused] == [("ship", "INVALID_TRANSITION")]
    assert Instance.objects.get(pk=instance.pk).machine_queue == []


def test_only_so_many_events_may_wait(driver: Driver) -> None:
    instance = driver.start(ORDER)
    send(instance, "checked", {"order": "o1"})
    for _ in range(100):
        send(instance, "again")

    assert refusal(instance, "again").code == "QUEUE_FULL"


def test_events_that_wait_when_the_machine_ends_are_refused_one_by_one(driver: Driver) -> None:
    instance = driver.start(ORDER)
    send(instance, "checked", {"order": "o1"})
    send(instance, "cancel")
    send(instance, "pay", 5)

    driver.drain()

    assert Instance.objects.get(pk=instance.pk).state == "completed"
    assert state(instance) == "cancelled"
    assert [each["event"]["type"] for each in events(instance, "machine.event_refused")] == ["pay"]


# ---------------------------------------------------------------- failures
def test_an_action_that_fails_before_the_move_keeps_the_state_and_the_machine_goes_on(driver: Driver) -> None:
    instance = driver.start(ORDER)
    driver.perform = {"checked[0].echo": fail()}
    send(instance, "checked", {"order": "o1"})
    driver.drain()

    assert state(instance) == "created"
    assert Step.objects.get(instance=instance, path="checked[0]").error["code"] == "BROKEN"
    assert Step.objects.get(instance=instance, path="checked[0].move").state == "cancelled"
    assert Instance.objects.get(pk=instance.pk).variables["attempts"] == 0

    send(instance, "checked", {"order": "o1"})
    driver.drain()
    assert state(instance) == "pending"


def test_actions_are_tried_again_as_their_policy_says(driver: Driver) -> None:
    instance = driver.start(ORDER)
    driver.perform = {"pay[1].echo": fail_times(2, {"amount": 5})}
    send(instance, "checked", {"order": "o1"})
    driver.drain()
    send(instance, "pay", 5)

    driver.run_for(instance, seconds=10)

    assert state(instance) == "paid"
    assert Step.objects.get(instance=instance, path="pay[1].echo").attempts == 3


def test_an_action_that_fails_after_the_move_leaves_the_move(driver: Driver) -> None:
    driver.perform = {"pay[1].echo_2": fail()}
    instance = paid(driver)

    assert state(instance) == "paid"
    failed = Step.objects.get(instance=instance, path="pay[1]")
    assert (failed.state, failed.error["code"]) == ("failed", "BROKEN")
    send(instance, "ship")
    assert Instance.objects.get(pk=instance.pk).state == "completed"


def test_a_result_too_large_for_the_variables_fails_its_action(driver: Driver, settings: Any) -> None:
    settings.ORCHESTRATOR_MAX_OUTPUT_BYTES = 400
    driver.perform = {"checked[0].echo": lambda claim: "x" * 390}
    instance = driver.start(ORDER)

    send(instance, "checked", {"order": "o1"})
    driver.drain()

    step = Step.objects.get(instance=instance, path="checked[0].echo")
    assert (step.state, step.error["code"], step.effect_unknown) == ("failed", "TOO_LARGE", True)
    assert state(instance) == "created"


# ---------------------------------------------------------------- time
def test_a_state_that_lasts_too_long_is_left(driver: Driver) -> None:
    instance = driver.start(ORDER)
    send(instance, "checked", {"order": "o1"})
    driver.drain()
    due = Timer.objects.get(instance=instance, kind="state").due_at

    driver.set_clock(due)
    sweep.fire_timers()

    assert state(instance) == "unpaid"
    assert not Timer.objects.filter(instance=instance).exists()
    assert refusal(instance, "ship").code == "INVALID_TRANSITION"
    send(instance, "again")
    assert Timer.objects.filter(instance=instance, kind="state").exists()


def test_a_state_that_is_left_in_time_has_no_time_out_any_more(driver: Driver) -> None:
    instance = paid(driver)

    driver.advance(3 * 3600)
    sweep.fire_timers()

    assert state(instance) == "paid"


def test_a_time_out_during_a_transition_waits_and_means_nothing_once_the_machine_has_moved(driver: Driver) -> None:
    instance = driver.start(ORDER)
    send(instance, "checked", {"order": "o1"})
    driver.drain()
    send(instance, "pay", 5)
    claim = driver.claim_next(instance.pk)

    driver.advance(7200)
    sweep.fire_timers()
    driver.work(claim)
    driver.drain()

    assert state(instance) == "paid"
    assert [each["error"]["code"] for each in events(instance, "machine.event_refused")] == ["STATE_LEFT"]


def test_a_time_out_during_a_transition_that_fails_moves_the_machine_afterwards(driver: Driver) -> None:
    instance = driver.start(ORDER)
    send(instance, "checked", {"order": "o1"})
    driver.drain()
    send(instance, "pay", 5)
    claim = driver.claim_next(instance.pk)
    driver.perform = {"pay[1].echo": fail(recoverable=False)}

    driver.advance(7200)
    sweep.fire_timers()
    driver.work(claim)

    assert state(instance) == "unpaid"


# ---------------------------------------------------------------- what is kept and reported
def test_a_machine_whose_timer_is_gone_is_reported(driver: Driver) -> None:
    instance = driver.start(ORDER)
    send(instance, "checked", {"order": "o1"})
    driver.drain()
    timer = Timer.objects.get(instance=instance)
    Timer.objects.filter(pk=timer.pk).delete()

    found = verification.check_replay(instance.pk)

    timer.save(force_insert=True)
    assert found == [
        "step machine is waiting, but no timer is set, no event is awaited, and nothing inside it "
        "or called by it is under way"
    ]


def test_the_activities_of_actions_and_of_repeated_steps_are_kept_with_the_version(driver: Driver) -> None:
    repeated = "{id: a, foreach: {items: [1], steps: [{id: b, activity: core.sleep, with: {seconds: 1}}]}}"
    machine = driver.start(ORDER)
    each = driver.start(f"workflow: each\nversion: 1.0.0\nsteps: [{repeated}]")

    assert set(machine.definition_version.activities) == {"core.echo"}
    assert set(each.definition_version.activities) == {"core.sleep"}
