"""State machines over PostgreSQL: events, actions, time-outs, undo, the queue, refusals; every history replays."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, fail_times
from workflows_app.engine.errors import AttemptCancelled, OrchestratorError
from workflows_app.models import Dispatch, Event, Instance, Step, Timer
from workflows_app.services import decisions, instances, machines, slices, sweep, verification

ORDER = """
workflow: order
version: 1.0.0
kind: state_machine
variables: {attempts: 0, check: null, paid: null}
initial: created
states:
  created: {}
  pending: {timeout: 2h, on_timeout: unpaid}
  unpaid: {}
  paid: {}
  cancelled: {terminal: true}
  shipped: {terminal: true}
transitions:
  - from: created
    to: pending
    event: checked
    do:
      - {activity: core.echo, with: {order: "${ event.data.order }", at: "${ state }"}, result: check,
         compensate: {activity: core.echo, with: {release: "${ output.order }", in: "${ state }"}}}
    set: {attempts: "${ vars.attempts + 1 }"}
  - from: [pending, unpaid]
    to: paid
    event: pay
    when: event.data > 0
    do:
      - {activity: core.echo, with: {amount: "${ event.data }"}, result: paid,
         retry: {max_attempts: 3, initial_interval: 1s},
         compensate: {activity: core.echo, with: {refund: "${ output.amount }"}}}
    then: [{activity: core.echo, with: {mail: "${ state }"}}]
  - {from: unpaid, to: pending, event: again, when: vars.attempts < 3, set: {attempts: "${ vars.attempts + 1 }"}}
  - {from: [created, pending, paid], to: cancelled, event: cancel, compensate: true}
  - {from: paid, to: shipped, event: ship}
output: {in: "${ state }", attempts: "${ vars.attempts }", check: "${ vars.check }"}
"""


def send(instance: Instance, event: str, data: Any = None, **more: Any) -> Any:
    return machines.send_event(instance_id=instance.pk, event=event, data=data, actor="ada", **more)


def refusal(instance: Instance, event: str, data: Any = None, **more: Any) -> OrchestratorError:
    before = Event.objects.filter(instance=instance).count()
    with pytest.raises(OrchestratorError) as refused:
        send(instance, event, data, **more)
    assert Event.objects.filter(instance=instance).count() == before, "a refusal writes nothing"
    return refused.value


def state(instance: Instance) -> str | None:
    return Instance.objects.get(pk=instance.pk).machine_state


def events(instance: Instance, kind: str) -> list[dict[str, Any]]:
    found = Event.objects.filter(instance=instance, type=kind).order_by("sequence")
    return [each.data for each in found]


def paid(driver: Driver) -> Instance:
    instance = driver.start(ORDER)
    send(instance, "checked", {"order": "o1"})
    driver.drain()
    send(instance, "pay", 5)
    driver.drain()
    return instance


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


# ---------------------------------------------------------------- the hot path
def test_actions_that_follow_plainly_are_decided_in_the_database_with_the_same_answer(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = """
workflow: plain
version: 1.0.0
kind: state_machine
initial: new
states: {new: {}, done: {terminal: true}}
transitions:
  - from: new
    to: done
    event: go
    do:
      - {activity: core.echo, with: {a: 1}}
      - {activity: core.echo, with: {id: "${ instance.id }"}}
      - {activity: core.echo}
"""
    asked: list[str] = []
    take = decisions.take

    def counting(**options: Any) -> Any:
        asked.append(type(options["occurrence"]).__name__)
        return take(**options)

    monkeypatch.setattr(decisions, "take", counting)
    instance = driver.start(document)
    send(instance, "go")
    driver.drain()

    assert Instance.objects.get(pk=instance.pk).state == "completed"
    assert asked == ["EventReceived", "AttemptSucceeded"], "only the last action leads to something else than an action"
    assert verification.check_replay(instance.pk) == []


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


def test_an_event_and_a_failure_look_at_their_own_transition_only(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = driver.start(ORDER)
    wholes: list[bool] = []
    load = slices.load

    def watching(*arguments: Any, **options: Any) -> Any:
        wholes.append(options.get("whole", False))
        return load(*arguments, **options)

    monkeypatch.setattr(slices, "load", watching)
    driver.perform = {"checked[0].echo": fail()}
    send(instance, "checked", {"order": "o1"})
    driver.drain()
    send(instance, "checked", {"order": "o1"})
    driver.drain()

    assert state(instance) == "pending"
    assert wholes
    assert not any(wholes), "the cost of a transition does not grow with those before it"
