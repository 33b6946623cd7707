"""What a state machine has done is undone: by a transition that says so, by a cancel, when its time is over."""

from __future__ import annotations

from typing import Any

from tests.integration.driver import Driver
from tests.integration.engine.order_machine import ORDER, events, paid, send, state
from workflows_app.engine.errors import AttemptCancelled, OrchestratorError
from workflows_app.models import Dispatch, Event, Instance, Step, Timer
from workflows_app.services import instances, sweep, verification


# ---------------------------------------------------------------- undo
def test_a_transition_that_compensates_undoes_what_was_done_the_latest_first(driver: Driver) -> None:
    instance = paid(driver)

    send(instance, "cancel")
    assert state(instance) == "paid"
    driver.drain()

    assert state(instance) == "cancelled"
    assert Instance.objects.get(pk=instance.pk).state == "completed"
    undone = [path for path, role in driver.calls if role == "compensation"]
    assert undone == ["pay[1].echo", "checked[0].echo"]
    assert Step.objects.get(instance=instance, path="pay[1].echo").undo_input == {"refund": 5}
    assert Step.objects.get(instance=instance, path="checked[0].echo").undo_input == {"release": "o1", "in": "paid"}
    assert Step.objects.get(instance=instance, path="checked[0].echo").state == "compensated"


def test_an_action_that_needs_no_undo_stays_done_and_the_machine_moves(driver: Driver) -> None:
    text = ORDER.replace('{refund: "${ output.amount }"}', '{refund: "${ output.amount }"}, when: output.amount > 9')
    instance = driver.start(text)
    for event, data in (("checked", {"order": 1}), ("pay", 5)):
        send(instance, event, data)
        driver.drain()

    send(instance, "cancel")
    driver.drain()

    assert Instance.objects.get(pk=instance.pk).machine_state == "cancelled"
    states = dict(Step.objects.filter(instance=instance, role="compensation").values_list("path", "state"))
    assert list(states.values()) == ["compensated"], "the payment stays, what was checked is released"
    assert Event.objects.filter(instance=instance, type="step.undo_unneeded").count() == 1
    assert verification.check_replay(instance.pk) == []


def test_what_was_done_long_ago_is_found_and_undone_in_its_turn(driver: Driver) -> None:
    machine = """
workflow: rounds
version: 1.0.0
kind: state_machine
initial: idle
states: {idle: {}, off: {terminal: true}}
transitions:
  - {from: idle, to: idle, event: book, do: [{activity: core.echo, compensate: {activity: core.echo}}]}
  - {from: idle, to: idle, event: look}
  - {from: idle, to: idle, event: peek, do: [{activity: core.echo}]}
  - {from: idle, to: off, event: stop, compensate: true}
"""
    instance = driver.start(machine)
    for event in ("book", "book", *("look", "peek") * 15, "book", *("look",) * 9):
        send(instance, event)
        driver.drain()

    send(instance, "stop")
    driver.drain()

    undone = [path for path, role in driver.calls if role == "compensation"]
    assert undone == ["book[32].echo", "book[1].echo", "book[0].echo"]
    assert state(instance) == "off"


def test_an_undo_that_fails_keeps_the_state_and_sent_again_the_event_tries_it_again(driver: Driver) -> None:
    instance = paid(driver)
    keys: list[str] = []

    def broken(claim: Any) -> Any:
        keys.append(claim.idempotency_key)
        raise OrchestratorError("the bank is closed", code="CLOSED")

    driver.perform = {"undo_pay[1].echo": broken}
    send(instance, "cancel")
    driver.run_for(instance, seconds=30)

    assert state(instance) == "paid"
    failed = Step.objects.get(instance=instance, path="cancel[2]")
    assert (failed.state, failed.error["code"]) == ("failed", "COMPENSATION_FAILED")
    assert "pay[1].echo" in failed.error["message"]
    assert Step.objects.get(instance=instance, path="checked[0].echo").state == "compensated"
    assert Instance.objects.get(pk=instance.pk).undo_failed == 0

    driver.perform = {"undo_pay[1].echo": lambda claim: keys.append(claim.idempotency_key)}
    send(instance, "cancel")
    driver.drain()

    assert state(instance) == "cancelled"
    assert set(keys) == {f"{instance.pk}:pay[1].echo:0:undo"}
    undone = [path for path, role in driver.calls if role == "compensation"]
    assert undone.count("checked[0].echo") == 1


def test_events_wait_while_something_is_undone(driver: Driver) -> None:
    instance = paid(driver)
    send(instance, "cancel")

    send(instance, "ship")
    assert verification.check_replay(instance.pk) == []
    driver.drain()

    assert state(instance) == "cancelled"
    assert [each["event"]["type"] for each in events(instance, "machine.event_refused")] == ["ship"]


# ---------------------------------------------------------------- the end from outside
def test_a_cancel_stops_what_runs_undoes_what_was_done_and_refuses_what_waits(driver: Driver) -> None:
    instance = driver.start(ORDER)
    send(instance, "checked", {"order": "o1"})
    driver.drain()
    send(instance, "pay", 5)
    claim = driver.claim_next(instance.pk)
    send(instance, "ship")

    instances.cancel(instance_id=instance.pk, actor="ada", reason="no more")

    def told(claim: Any) -> Any:
        raise AttemptCancelled("told to stop")

    driver.perform = {"pay[1].echo": told}
    driver.work(claim)
    driver.drain()
    ended = Instance.objects.get(pk=instance.pk)
    assert (ended.state, ended.cause, ended.machine_state) == ("compensated", "cancelled", "pending")
    assert [path for path, role in driver.calls if role == "compensation"] == ["checked[0].echo"]
    assert [each["event"]["type"] for each in events(instance, "machine.event_refused")] == ["ship"]
    assert not Timer.objects.filter(instance=instance).exists()


def test_a_cancel_during_an_undo_awaits_it_and_undoes_the_rest_once(driver: Driver) -> None:
    instance = paid(driver)
    send(instance, "cancel")
    claim = driver.claim_next(instance.pk)

    instances.cancel(instance_id=instance.pk, actor="ada")
    assert Instance.objects.get(pk=instance.pk).state == "running"
    driver.work(claim)
    driver.drain()

    assert Instance.objects.get(pk=instance.pk).state == "compensated"
    undone = [path for path, role in driver.calls if role == "compensation"]
    assert undone == ["pay[1].echo", "checked[0].echo"]


def test_a_terminate_ends_a_machine_at_once(driver: Driver) -> None:
    instance = paid(driver)
    send(instance, "cancel")
    send(instance, "ship")

    instances.terminate(instance_id=instance.pk, actor="ada")

    ended = Instance.objects.get(pk=instance.pk)
    assert (ended.state, ended.machine_queue, ended.machine_transition) == ("terminated", [], None)
    assert not Dispatch.objects.filter(instance=instance).exists()


def test_the_time_out_of_the_instance_ends_a_machine_that_waits(driver: Driver) -> None:
    instance = driver.start(ORDER.replace("initial:", "timeout: 30d\ninitial:"))
    send(instance, "checked", {"order": "o1"})
    driver.drain()
    driver.advance(3 * 3600)
    sweep.fire_timers()
    driver.advance(30 * 86400)
    sweep.fire_timers()
    driver.drain()

    ended = Instance.objects.get(pk=instance.pk)
    assert (ended.state, ended.error["code"], ended.machine_state) == ("compensated", "TIMEOUT", "unpaid")
