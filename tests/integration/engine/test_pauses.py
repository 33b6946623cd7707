"""An operator pauses an instance: what runs is recorded, nothing new starts, and the resume takes up what was held."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.integration.driver import Driver
from workflows_app.engine.errors import ActivityError, InputInvalid, StateForbids
from workflows_app.models import AuditEntry, Dispatch, Event, Instance, Step, Timer
from workflows_app.selectors import results
from workflows_app.services import instances, interventions, machines, signals, steps, sweep, verification
from workflows_app.services.steps import Claim

pytestmark = pytest.mark.django_db

ROW = """
workflow: row
version: 1.0.0
variables: {limit: 1, said: null}
steps:
  - {id: a, activity: core.echo, with: {v: 1}}
  - {id: b, activity: core.echo, with: {v: "${ vars.limit }"}}
  - {id: c, activity: core.echo, needs: [], with: {v: 3}}
"""


def pause(instance: Instance, reason: str = "the bank is down") -> Instance:
    return interventions.pause(instance_id=instance.pk, actor="ada", reason=reason)


def resume(instance: Instance, **options: object) -> Instance:
    return interventions.resume(instance_id=instance.pk, actor="bob", **options)


def states(instance: Instance) -> dict[str, str]:
    return results.instance_view(instance.pk)["steps"]


def types(instance: Instance) -> list[str]:
    return list(Event.objects.filter(instance=instance).order_by("sequence").values_list("type", flat=True))


def check(instance: Instance) -> None:
    """What is stored follows from the history, and nothing is left that nothing would move."""
    assert verification.verify_history(instance.pk) is None
    assert verification.check_replay(instance.pk) == []


@pytest.fixture
def driver() -> Driver:
    return Driver()


def test_a_running_attempt_finishes_and_what_follows_waits_for_the_resume(driver: Driver) -> None:
    instance = driver.start(ROW)
    claim = driver.claim_next(instance.pk)

    paused = pause(instance)
    assert paused.state == "paused"
    assert not Dispatch.objects.filter(instance=instance).exists()
    assert steps.claim(instance_id=instance.pk, path="c", generation=1, worker="late message") is None
    driver.work(claim)

    assert states(instance) == {"a": "completed", "b": "pending", "c": "scheduled"}
    check(instance)

    resume(instance)
    view = driver.run(instance)

    assert view["state"] == "completed"
    assert view["steps"] == {"a": "completed", "b": "completed", "c": "completed"}
    check(instance)


def test_what_is_read_on_the_page_and_the_audit_trail(driver: Driver) -> None:
    instance = driver.start(ROW)
    pause(instance)

    paused = results.instance_view(instance.pk)["paused"]
    assert (paused["by"], paused["reason"]) == ("ada", "the bank is down")
    assert paused["sentence"] == "Paused by ada since 2026-01-01 00:00:00 UTC: the bank is down"
    resume(instance, reason="it answers again", variables={"limit": 5})

    assert results.instance_view(instance.pk)["paused"] is None
    trail = AuditEntry.objects.filter(target=str(instance.pk)).order_by("sequence")
    assert list(trail.values_list("actor", "action", "data")) == [
        ("ada", "instance.paused", {"reason": "the bank is down"}),
        ("bob", "instance.resumed", {"reason": "it answers again", "variables": ["limit"]}),
    ]
    said = Event.objects.filter(instance=instance, type__in=["instance.paused", "instance.resumed"])
    assert list(said.order_by("sequence").values_list("type", "actor", "data")) == [
        ("instance.paused", "ada", {"reason": "the bank is down"}),
        ("instance.resumed", "bob", {"reason": "it answers again", "variables": {"limit": 5}}),
    ]


def test_a_resume_with_data_changes_declared_variables_and_no_others(driver: Driver) -> None:
    instance = driver.start(ROW)
    pause(instance)

    with pytest.raises(InputInvalid, match="no variable is called limits; it declares limit, said") as refused:
        resume(instance, variables={"limits": 9, "limit": 9})
    assert refused.value.code == "UNKNOWN_VARIABLE"
    assert Instance.objects.get(pk=instance.pk).state == "paused"

    resume(instance, variables={"limit": 9})
    driver.run(instance)

    assert Step.objects.get(instance=instance, path="b").output == {"v": 9}
    assert Instance.objects.get(pk=instance.pk).variables == {"limit": 9, "said": None}
    check(instance)


def test_a_failure_during_the_pause_is_recorded_and_stops_the_instance_on_resume(driver: Driver) -> None:
    def breaks(claim: Claim) -> None:
        raise ActivityError("no", code="BOOM")

    driver.perform = {"a": breaks}
    instance = driver.start(ROW.replace("v: 1}", "v: 1}, compensate: {activity: core.echo}"))
    claim = driver.claim_next(instance.pk)
    pause(instance)
    driver.work(claim)

    assert Instance.objects.get(pk=instance.pk).state == "paused"
    assert states(instance) == {"a": "failed", "b": "pending", "c": "scheduled"}
    check(instance)

    resume(instance)
    view = driver.run(instance)

    assert (view["state"], view["error"]["code"]) == ("failed", "BOOM")
    assert view["steps"] == {"a": "failed", "b": "cancelled", "c": "cancelled"}
    check(instance)


def test_timers_and_back_off_come_due_during_the_pause_and_follow_on_resume(driver: Driver) -> None:
    def fails_once(claim: Claim) -> object:
        if claim.number == 1:
            raise ActivityError("not yet")
        return "done"

    driver.perform = {"again": fails_once}
    instance = driver.start("""
workflow: times
version: 1.0.0
steps:
  - {id: again, activity: core.echo, retry: {max_attempts: 2, initial_interval: 10s, jitter: 0}}
  - {id: nap, needs: [], wait: {for: 10s}}
  - {id: after, needs: [nap], activity: core.echo}
  - {id: late, needs: [], activity: core.echo, deadline: 20s, on_error: continue}
""")
    driver.work(driver.claim_next(instance.pk))
    pause(instance)
    driver.advance(60)
    sweep.fire_timers()

    assert states(instance) == {"again": "retrying", "nap": "waiting", "after": "pending", "late": "scheduled"}
    assert types(instance).count("timer.held") == 3
    assert not Timer.objects.filter(instance=instance, due_at__lte=driver.now).exists()
    check(instance)

    resume(instance)
    sweep.fire_timers()

    assert states(instance) == {"again": "scheduled", "nap": "completed", "after": "scheduled", "late": "timed_out"}
    assert driver.run(instance)["state"] == "completed"
    check(instance)


def test_the_time_out_of_the_instance_goes_on_and_ends_the_pause(driver: Driver) -> None:
    instance = driver.start(ROW.replace("version: 1.0.0", "version: 1.0.0\ntimeout: 1h"))
    driver.work(driver.claim_next(instance.pk))
    pause(instance)

    driver.advance(3600)
    sweep.fire_timers()

    view = results.instance_view(instance.pk)
    assert (view["state"], view["cause"]) == ("failed", "timed_out")
    assert view["steps"] == {"a": "completed", "b": "cancelled", "c": "cancelled"}
    check(instance)


def test_an_event_is_received_during_the_pause_and_its_successor_waits(driver: Driver) -> None:
    instance = driver.start(
        "workflow: hears\nversion: 1.0.0\nsteps: [{id: a, receive: {event: e}}, {id: b, activity: core.echo}]"
    )
    pause(instance)
    signals.signal(instance_id=instance.pk, event="e", data=7, actor="eve")
    driver.hand_over()

    assert states(instance) == {"a": "completed", "b": "pending"}
    check(instance)

    resume(instance)
    assert driver.run(instance)["state"] == "completed"


def test_a_called_workflow_goes_on_and_its_end_waits_for_the_resume(driver: Driver) -> None:
    driver.start("workflow: below\nversion: 1.0.0\nsteps: [{id: x, activity: core.echo}]")
    driver.drain()
    instance = driver.start(
        "workflow: above\nversion: 1.0.0\nsteps: [{id: a, call: {workflow: below}}, {id: b, activity: core.echo}]"
    )
    pause(instance)
    driver.drain()

    assert states(instance) == {"a": "completed", "b": "pending"}
    check(instance)
    resume(instance)
    assert driver.run(instance)["state"] == "completed"


@pytest.mark.parametrize("compensate", [True, False])
def test_a_paused_instance_can_be_cancelled(driver: Driver, compensate: bool) -> None:
    instance = driver.start(ROW.replace("v: 1}", "v: 1}, compensate: {activity: core.echo}"))
    driver.work(driver.claim_next(instance.pk))
    pause(instance)

    instances.cancel(instance_id=instance.pk, actor="ada", compensate=compensate)
    view = driver.run(instance)

    assert view["state"] == ("compensated" if compensate else "cancelled")
    assert view["steps"]["b"] == "cancelled"
    check(instance)


def test_a_paused_instance_can_be_terminated(driver: Driver) -> None:
    instance = driver.start(ROW)
    pause(instance)

    ended = instances.terminate(instance_id=instance.pk, actor="ada")

    assert ended.state == "terminated"
    check(instance)


def test_what_the_state_forbids_is_refused_and_changes_nothing(driver: Driver) -> None:
    instance = driver.start(ROW)
    with pytest.raises(StateForbids, match="the instance is running; only a paused one can be resumed"):
        resume(instance)
    pause(instance)
    length = len(types(instance))
    with pytest.raises(StateForbids, match="the instance is paused; only a running one can be paused"):
        pause(instance)
    assert len(types(instance)) == length
    resume(instance)
    driver.run(instance)
    with pytest.raises(StateForbids, match="the instance is completed; only a running one can be paused"):
        pause(instance)


def test_a_lost_attempt_is_not_sent_again_before_the_resume(driver: Driver) -> None:
    instance = driver.start(ROW)
    driver.claim_next(instance.pk)
    pause(instance)
    driver.advance(20)
    sweep.end_overdue_attempts()

    assert states(instance)["a"] == "scheduled"
    assert not Dispatch.objects.filter(instance=instance).exists()
    check(instance)

    resume(instance)
    assert driver.run(instance)["state"] == "completed"
    check(instance)


MACHINE = """
workflow: machine
version: 1.0.0
kind: state_machine
initial: open
states: {open: {timeout: 1h, on_timeout: late}, held: {}, late: {}, over: {terminal: true}}
transitions:
  - {from: open, to: held, event: hold, do: [
      {activity: core.echo, compensate: {activity: core.echo}},
      {activity: core.echo, result: second, compensate: {activity: core.echo}}]}
  - {from: [held, late], to: over, event: end, compensate: true}
"""


def machine(instance: Instance) -> Instance:
    return Instance.objects.get(pk=instance.pk)


def send(instance: Instance, event: str) -> None:
    machines.send_event(instance_id=instance.pk, event=event, actor="eve")


def test_events_of_a_paused_machine_wait_for_their_turn_and_so_does_its_time_out(driver: Driver) -> None:
    instance = driver.start(MACHINE.replace("result: second, ", ""))
    pause(instance)
    send(instance, "hold")
    driver.advance(3600)
    sweep.fire_timers()

    assert machine(instance).machine_state == "open"
    assert [each["type"] for each in machine(instance).machine_queue] == ["hold", "timeout"]
    check(instance)

    resume(instance)
    driver.drain()

    assert machine(instance).machine_state == "held"
    check(instance)


@pytest.mark.parametrize("how", ["before the claim", "while it runs", "at its end"])
def test_the_undo_of_a_paused_machine_goes_on_with_the_resume(driver: Driver, how: str) -> None:
    instance = driver.start(MACHINE.replace("result: second, ", ""))
    send(instance, "hold")
    driver.drain()
    send(instance, "end")
    if how != "before the claim":
        claim = driver.claim_next(instance.pk)
        assert claim.role == "compensation"
        pause(instance)
        driver.work(claim)
    else:
        pause(instance)
    assert driver.claim_next(instance.pk) is None
    check(instance)

    resume(instance)
    if how == "at its end":
        claim = driver.claim_next(instance.pk)
        pause(instance)
        driver.work(claim)
        resume(instance)
    driver.drain()

    assert machine(instance).state == "completed"
    assert Step.objects.filter(state="compensated").count() == 2
    check(instance)


def test_an_undo_of_a_paused_machine_goes_on_with_a_cancel(driver: Driver) -> None:
    instance = driver.start(MACHINE.replace("result: second, ", ""))
    send(instance, "hold")
    driver.drain()
    send(instance, "end")
    pause(instance)

    instances.cancel(instance_id=instance.pk, actor="ada")
    driver.drain()

    assert machine(instance).state == "compensated"
    check(instance)


def test_a_pause_costs_no_attempt_and_repeats_nothing(driver: Driver) -> None:
    instance = driver.start(ROW)
    for _ in range(5):
        pause(instance)
        driver.advance(timedelta(minutes=5).total_seconds())
        resume(instance)
    view = driver.run(instance)

    assert [(a["step"], a["number"]) for a in view["attempts"]] == [("a", 1), ("c", 1), ("b", 1)]
    check(instance)
