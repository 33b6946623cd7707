"""An operator lets a failed instance go on."""

from __future__ import annotations

import pytest

from tests.integration.driver import Driver
from tests.integration.engine.test_pauses import check, states
from workflows_app.engine.errors import ActivityError, NotFound, StateForbids
from workflows_app.models import AuditEntry, Event, Instance, Slot, Timer
from workflows_app.selectors import results
from workflows_app.services import instances, interventions, steps, sweep
from workflows_app.services.steps import Claim

pytestmark = pytest.mark.django_db

ROW = """
workflow: row
version: 1.0.0
timeout: 1h
output: {said: "${ steps.c.output }"}
steps:
  - {id: a, activity: core.echo, with: {v: 1}}
  - {id: b, activity: core.echo, with: {v: "${ steps.a.output.v }"}, retry: {max_attempts: 2, initial_interval: 1s}}
  - {id: c, activity: core.echo, with: {v: 3}}
  - {id: beside, needs: [], wait: {for: 30m}}
"""


@pytest.fixture
def driver() -> Driver:
    return Driver()


class Broken:
    """An activity that fails until it is mended."""

    mended = False

    def __call__(self, claim: Claim) -> object:
        if not self.mended:
            raise ActivityError("no", code="BOOM")
        return claim.parameters


def retry(instance: Instance) -> Instance:
    return interventions.retry(instance_id=instance.pk, actor="ada", reason="mended")


def attempts(instance: Instance, path: str) -> list[int]:
    return [a["number"] for a in results.instance_view(instance.pk)["attempts"] if a["step"] == path]


def test_what_failed_gets_fresh_attempts_and_what_completed_stays(driver: Driver) -> None:
    broken = Broken()
    driver.perform = {"b": broken}
    instance = driver.start(ROW)
    view = driver.run(instance)
    assert (view["state"], view["steps"]["beside"]) == ("failed", "cancelled")
    assert attempts(instance, "b") == [1, 2]

    going = retry(instance)

    assert (going.state, going.cause, going.error, going.ended_at) == ("running", None, None, None)
    assert states(instance) == {"a": "completed", "b": "scheduled", "c": "pending", "beside": "waiting"}
    assert set(Timer.objects.filter(instance=instance).values_list("path", "kind")) == {
        ("", "instance"),
        ("beside", "wait"),
    }
    check(instance)
    driver.run_for(instance, seconds=4)
    assert attempts(instance, "b") == [1, 2, 3, 4]
    assert results.instance_view(instance.pk)["state"] == "failed"

    broken.mended = True
    retry(instance)
    view = driver.run(instance)

    assert (view["state"], view["output"], view["error"]) == ("completed", {"said": {"v": 3}}, None)
    assert attempts(instance, "a") == [1]
    assert attempts(instance, "b") == [1, 2, 3, 4, 5]
    assert [c for c in driver.calls if c[0] == "a"] == [("a", "action")]
    assert AuditEntry.objects.filter(action="instance.retried", data={"reason": "mended"}).count() == 2
    event = Event.objects.filter(instance=instance, type="instance.retried").first()
    assert (event.actor, event.data) == ("ada", {"reason": "mended", "pending": ["b", "c", "beside"], "open": []})
    check(instance)


def test_an_attempt_from_before_the_retry_changes_nothing(driver: Driver) -> None:
    driver.perform = {"b": Broken()}
    document = ROW.replace("wait: {for: 30m}", "activity: core.echo, deadline: 5s")
    instance = driver.start(document)
    beside = steps.claim(instance_id=instance.pk, path="beside", generation=1, worker="slow")
    driver.run_for(instance, seconds=4)
    driver.advance(20)
    sweep.fire_timers()
    assert results.instance_view(instance.pk)["state"] == "failed"

    retry(instance)

    assert not steps.succeeded(claim=beside, output="late")
    assert steps.claim(instance_id=instance.pk, path="beside", generation=1, worker="late") is None
    check(instance)


def test_blocks_iterations_and_calls_are_taken_up_where_they_stood(driver: Driver) -> None:
    broken = Broken()
    driver.perform = {"each[1].two": broken, "deep": broken}
    driver.start("workflow: below\nversion: 1.0.0\nsteps: [{id: deep, activity: core.echo}]")
    driver.drain()
    instance = driver.start("""
workflow: blocks
version: 1.0.0
output: {all: "${ steps.each.output }"}
steps:
  - id: each
    foreach:
      items: [1, 2, 3]
      steps: [{id: one, activity: core.echo, with: {v: "${ item }"}}, {id: two, activity: core.echo, with: {v: 0}}]
  - {id: call, call: {workflow: below}}
""")
    view = driver.run(instance)
    assert (view["state"], view["steps"]["each"]) == ("failed", "failed")
    done = [path for path, state in view["steps"].items() if state == "completed"]

    driver.perform = {"deep": broken}
    retry(instance)
    view = driver.run(instance)
    assert (view["state"], view["error"]["code"], view["steps"]["call"]) == ("failed", "BOOM", "failed")
    check(instance)

    broken.mended = True
    retry(instance)
    view = driver.run(instance)

    assert (view["state"], view["output"]) == ("completed", {"all": [{"v": 0}] * 3})
    assert sorted(child["state"] for child in view["children"]) == ["completed", "failed"]
    assert all(attempts(instance, path) == [1] for path in done if attempts(instance, path))
    check(instance)


def test_an_instance_out_of_time_gets_its_time_again(driver: Driver) -> None:
    instance = driver.start(ROW.replace("timeout: 1h", "timeout: 10m"))
    driver.drain()
    driver.advance(600)
    sweep.fire_timers()
    assert results.instance_view(instance.pk)["cause"] == "timed_out"

    retry(instance)

    assert states(instance)["beside"] == "waiting"
    due = Timer.objects.get(instance=instance, kind="instance").due_at
    assert (due - driver.now).total_seconds() == 600
    check(instance)


def test_it_takes_a_place_again_under_a_limit(driver: Driver) -> None:
    driver.perform = {"a": Broken()}
    document = "workflow: limited\nversion: 1.0.0\nconcurrency: {limit: 1}\nsteps: [{id: a, activity: core.echo}]"
    failed = driver.start(document)
    driver.drain()
    assert Slot.objects.count() == 0

    retry(failed)
    waiting = driver.start(document)

    assert waiting.state == "pending"
    check(failed)


def test_every_other_ending_is_refused_with_its_reason(driver: Driver) -> None:
    plain = "workflow: plain\nversion: 1.0.0\nsteps: [{id: a, activity: core.echo}]"
    completed, running, cancelled, terminated = (driver.start(plain) for _ in range(4))
    instances.cancel(instance_id=cancelled.pk, actor="ada")
    instances.terminate(instance_id=terminated.pk, actor="ada")
    driver.work(driver.claim_next(completed.pk))
    saga = driver.start(
        "workflow: saga\nversion: 1.0.0\nsteps: [{id: a, activity: core.echo, compensate: {activity: core.echo}}, "
        "{id: b, fail: {code: B}}]"
    )
    driver.run(saga)
    running = driver.start(plain)
    for instance, why in {
        completed: "is completed; only a failed one can be retried: it has done what it should",
        running: "is running; only a failed one can be retried: it has not ended",
        cancelled: "is cancelled; only a failed one can be retried: it was cancelled on request",
        terminated: "is terminated; only a failed one",
        saga: "is compensated; only a failed one can be retried: what it had done was undone",
    }.items():
        with pytest.raises(StateForbids, match=why):
            retry(instance)
        check(instance)
    with pytest.raises(NotFound):
        interventions.retry(instance_id="00000000-0000-0000-0000-000000000000", actor="ada")


def test_what_was_called_is_retried_with_its_caller(driver: Driver) -> None:
    driver.perform = {"deep": Broken()}
    driver.start("workflow: below\nversion: 1.0.0\nsteps: [{id: deep, activity: core.echo}]")
    driver.drain()
    caller = driver.start("workflow: above\nversion: 1.0.0\nsteps: [{id: a, call: {workflow: below}}]")
    driver.run(caller)
    called = Instance.objects.get(parent=caller)

    with pytest.raises(StateForbids, match=f"the instance {caller.pk} called it and knows its end; retry that one"):
        retry(called)
