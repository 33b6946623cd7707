"""What an operator may do to one step: let it run now, or skip it; and to the variables of a paused instance."""

from __future__ import annotations

import pytest

from tests.integration.driver import Driver
from tests.integration.engine.test_pauses import check, pause, resume, states
from workflows_app.engine.errors import ActivityError, InputInvalid, NotFound, StateForbids
from workflows_app.models import AuditEntry, Dispatch, Event, Instance, Step, Subscription, Timer
from workflows_app.selectors import results
from workflows_app.services import instances, interventions, steps, sweep
from workflows_app.services.steps import Claim

pytestmark = pytest.mark.django_db


@pytest.fixture
def driver() -> Driver:
    return Driver()


def fails(claim: Claim) -> object:
    raise ActivityError("not yet")


def fails_once(claim: Claim) -> object:
    return fails(claim) if claim.number == 1 else "done"


def run_now(instance: Instance, step: str) -> Instance:
    return interventions.run_now(instance_id=instance.pk, step=step, actor="ada", reason="it is mended")


def skip(instance: Instance, step: str) -> Instance:
    return interventions.skip(instance_id=instance.pk, step=step, actor="ada", reason="not needed")


RETRIED = """
workflow: retried
version: 1.0.0
steps:
  - {id: a, activity: core.echo, retry: {max_attempts: 3, initial_interval: 1h}}
  - {id: b, activity: core.echo}
"""


def test_a_step_in_back_off_runs_now(driver: Driver) -> None:
    driver.perform = {"a": fails_once}
    instance = driver.start(RETRIED)
    driver.drain()
    assert states(instance)["a"] == "retrying"

    run_now(instance, "a")
    sweep.fire_timers()
    driver.drain()

    view = results.instance_view(instance.pk)
    assert view["state"] == "completed"
    assert [a["number"] for a in view["attempts"] if a["step"] == "a"] == [1, 2]
    assert AuditEntry.objects.get(action="step.hurried").data == {"step": "a", "reason": "it is mended"}
    check(instance)


def test_the_undo_in_back_off_runs_now(driver: Driver) -> None:
    driver.perform = {"undo_a": lambda claim: fails(claim) if claim.number == 2 else "undone"}
    retry = "{activity: core.echo, retry: {max_attempts: 3, initial_interval: 1h}}"
    instance = driver.start(f"""
workflow: undone
version: 1.0.0
steps: [{{id: a, activity: core.echo, compensate: {retry}}}, {{id: b, fail: {{code: NO}}}}]
""")
    driver.drain()

    run_now(instance, "a")
    sweep.fire_timers()
    driver.drain()

    assert results.instance_view(instance.pk)["state"] == "compensated"
    check(instance)


def test_on_a_paused_instance_it_runs_with_the_resume(driver: Driver) -> None:
    driver.perform = {"a": fails_once}
    instance = driver.start(RETRIED)
    driver.drain()
    pause(instance)
    run_now(instance, "a")
    sweep.fire_timers()
    assert states(instance)["a"] == "retrying"

    resume(instance)
    sweep.fire_timers()
    driver.drain()

    assert results.instance_view(instance.pk)["state"] == "completed"
    check(instance)


def test_only_a_step_in_back_off_runs_now(driver: Driver) -> None:
    instance = driver.start(RETRIED)
    with pytest.raises(StateForbids, match="a is scheduled; only a step that waits to be tried again can be run now"):
        run_now(instance, "a")
    with pytest.raises(StateForbids, match="b is pending"):
        run_now(instance, "b")
    for path in ("nobody", "each[0].a", "a[1]", "", "a b"):
        with pytest.raises(NotFound) as unknown:
            run_now(instance, path)
        assert unknown.value.code == "STEP_NOT_FOUND"
    check(instance)


KINDS = """
workflow: kinds
version: 1.0.0
steps:
  - {id: scheduled, needs: [], activity: core.echo}
  - {id: retrying, needs: [], activity: core.echo, retry: {max_attempts: 2, initial_interval: 1h}}
  - {id: naps, needs: [], wait: {for: 1d}}
  - {id: hears, needs: [], receive: {event: e, timeout: 1d}}
  - {id: pending, needs: [naps], activity: core.echo}
  - id: block
    needs: [naps]
    parallel: {branches: {one: [{id: inside, activity: core.echo}], two: [{id: other, wait: {for: 1h}}]}}
  - {id: last, needs: [scheduled, retrying, naps, hears, pending, block], activity: core.echo}
"""


def test_every_step_that_does_not_run_can_be_skipped_and_its_successors_go_on(driver: Driver) -> None:
    driver.perform = {"retrying": fails}
    instance = driver.start(KINDS)
    driver.work(driver.claim_next(instance.pk))
    claims = {row.path: row.generation for row in Dispatch.objects.filter(instance=instance)}
    step = steps.claim(instance_id=instance.pk, path="retrying", generation=claims["retrying"], worker="w")
    driver.work(step)

    for path in ("retrying", "hears", "pending", "block", "naps"):
        skip(instance, path)

    assert not Timer.objects.filter(instance=instance).exists()
    assert not Subscription.objects.filter(instance=instance).exists()
    check(instance)
    view = driver.run(instance)
    assert view["state"] == "completed"
    assert {path: state for path, state in view["steps"].items() if state != "skipped"} == {
        "scheduled": "completed",
        "last": "completed",
    }
    event = Event.objects.get(instance=instance, type="step.skipped", step="naps")
    assert (event.actor, event.data) == ("ada", {"reason": "operator", "note": "not needed"})
    assert AuditEntry.objects.filter(action="step.skipped").count() == 5
    check(instance)


def test_the_ticket_of_a_skipped_step_is_gone(driver: Driver) -> None:
    instance = driver.start(RETRIED)
    skip(instance, "a")

    assert steps.claim(instance_id=instance.pk, path="a", generation=1, worker="late") is None
    assert states(instance) == {"a": "skipped", "b": "scheduled"}
    check(instance)


def test_a_step_of_an_open_block_and_of_an_iteration_can_be_skipped(driver: Driver) -> None:
    instance = driver.start("""
workflow: blocks
version: 1.0.0
steps:
  - {id: each, foreach: {items: [1, 2], steps: [{id: one, activity: core.echo}, {id: two, activity: core.echo}]}}
""")
    skip(instance, "each[0].one")
    skip(instance, "each[1].two")
    view = driver.run(instance)

    assert view["state"] == "completed"
    assert view["steps"]["each[0].one"] == "skipped"
    assert view["steps"]["each[0].two"] == "completed"
    assert view["steps"]["each[1].two"] == "skipped"
    check(instance)


def test_what_cannot_be_skipped_is_refused_with_the_reason(driver: Driver) -> None:
    instance = driver.start(KINDS)
    below = driver.start("workflow: below\nversion: 1.0.0\nsteps: [{id: x, wait: {for: 1d}}]")
    calling = driver.start("workflow: calling\nversion: 1.0.0\nsteps: [{id: a, call: {workflow: below}}]")
    claim = driver.claim_next(instance.pk)

    for path, why in {
        claim.path: "is running; only a step that does not run",
        "one": "is no step that can be skipped by itself",
        "inside": "one has not begun",
    }.items():
        with pytest.raises(StateForbids, match=why):
            skip(instance, path)
    with pytest.raises(StateForbids, match="cancel that instance"):
        skip(calling, "a")
    skip(instance, "naps")
    with pytest.raises(StateForbids, match="naps is skipped"):
        skip(instance, "naps")
    with pytest.raises(StateForbids, match="block has begun; skip the steps in it"):
        skip(instance, "block")
    instances.terminate(instance_id=below.pk, actor="ada")
    with pytest.raises(StateForbids, match="the instance is terminated"):
        skip(below, "x")
    check(instance)


def test_variables_change_only_while_the_instance_is_paused(driver: Driver) -> None:
    instance = driver.start(
        "workflow: vars\nversion: 1.0.0\nvariables: {n: 1}\nsteps:\n"
        '  - {id: a, activity: core.echo}\n  - {id: b, activity: core.echo, with: {n: "${ vars.n }"}}'
    )

    def change(**variables: object) -> Instance:
        return interventions.set_variables(instance_id=instance.pk, actor="ada", variables=variables, reason="typo")

    with pytest.raises(StateForbids, match="the instance is running; pause it to change its variables"):
        change(n=2)
    pause(instance)
    with pytest.raises(InputInvalid) as refused:
        change(m=2)
    assert refused.value.code == "UNKNOWN_VARIABLE"
    with pytest.raises(InputInvalid):
        change(n="x" * 2_000_000)
    change(n=2)
    resume(instance)
    driver.run(instance)

    assert Step.objects.get(instance=instance, path="b").output == {"n": 2}
    check(instance)


def test_a_skipped_step_that_may_have_had_its_effect_is_undone_with_the_others(driver: Driver) -> None:
    def in_doubt(claim: Claim) -> None:
        raise ActivityError("no answer", details={"effect": "unknown"})

    driver.perform = {"a": in_doubt}
    retry = "retry: {max_attempts: 2, initial_interval: 1h}, compensate: {activity: core.echo}"
    instance = driver.start(f"""
workflow: doubtful
version: 1.0.0
steps: [{{id: a, activity: core.echo, {retry}}}, {{id: b, fail: {{code: NO}}}}]
""")
    driver.drain()
    skip(instance, "a")
    view = driver.run(instance)

    assert (view["state"], view["steps"]["a"]) == ("compensated", "compensated")
    assert ("a", "compensation") in driver.calls
    check(instance)
