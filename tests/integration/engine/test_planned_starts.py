"""A start at a time: accepted now, kept as a row, begun by the sweeper when its time has come, cancelled until then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.driver import Driver
from workflows_app.engine.errors import Conflict, InputInvalid
from workflows_app.models import Dispatch, Event, Instance, Slot, Timer
from workflows_app.selectors import results
from workflows_app.services import definitions, holds, instances, sweep
from workflows_app.services.holds import Kind

HEAD = "workflow: w\nversion: 1.0.0\n"
STEPS = "steps: [{id: a, activity: core.echo, with: {n: '${ input.n }'}}]\n"
HOUR = timedelta(hours=1)


def planned(driver: Driver, document: str = HEAD + STEPS, *, hours: float = 1, **options: Any) -> Instance:
    return driver.start(document, {"n": 1}, at=driver.now + hours * HOUR, **options)


def types(instance: Instance) -> list[str]:
    return list(Event.objects.filter(instance=instance).order_by("sequence").values_list("type", flat=True))


def reloaded(instance: Instance) -> Instance:
    return Instance.objects.get(pk=instance.pk)


def test_nothing_of_it_runs_until_its_time_has_come(driver: Driver) -> None:
    instance = planned(driver)

    sweep.run()

    assert (instance.state, reloaded(instance).state, instance.started_at) == ("pending", "pending", None)
    assert types(instance) == ["instance.planned"]
    assert not Dispatch.objects.exists()
    view = results.instance_view(instance.pk)
    assert view["starts_at"] == "2026-01-01T01:00:00Z"
    assert view["why"][0]["kind"] == "planned"
    assert view["why"][0]["sentence"] == "Starts at 2026-01-01 01:00:00 UTC."

    driver.advance(3600)
    assert sweep.run().timers == 1
    view = driver.run(instance)

    assert (view["state"], view["started_at"], view["starts_at"]) == ("completed", "2026-01-01T01:00:00Z", None)
    assert types(instance)[:3] == ["instance.planned", "instance.started", "step.scheduled"]
    assert not Timer.objects.exists()


def test_a_delay_is_counted_from_the_databases_time(driver: Driver) -> None:
    instance = driver.start(HEAD + STEPS, {"n": 1}, after=90.0)

    assert Timer.objects.get(instance=instance).due_at == driver.now + timedelta(seconds=90)


def test_its_time_out_counts_from_its_real_start(driver: Driver) -> None:
    instance = planned(driver, f"{HEAD}timeout: 10m\nsteps: [{{id: w, wait: {{for: 5m}}}}]\n")
    driver.advance(3600)
    sweep.run()

    due = dict(Timer.objects.filter(instance=instance).values_list("kind", "due_at"))

    assert due == {"instance": driver.now + timedelta(minutes=10), "wait": driver.now + timedelta(minutes=5)}


def test_it_stays_on_the_version_that_it_was_accepted_with(driver: Driver) -> None:
    definitions.publish(text=HEAD + STEPS, actor="ada")
    instance = instances.start(name="w", actor="ada", input={"n": 1}, at=driver.now + HOUR)
    definitions.publish(text=(HEAD + STEPS).replace("1.0.0", "2.0.0"), actor="ada")
    driver.advance(3600)

    sweep.run()

    assert (instance.version, reloaded(instance).state) == ("1.0.0", "running")


@pytest.mark.parametrize(("act", "state"), [(instances.cancel, "cancelled"), (instances.terminate, "terminated")])
def test_ended_before_its_time_it_never_starts(driver: Driver, act: Any, state: str) -> None:
    instance = planned(driver)

    act(instance_id=instance.pk, actor="ada", reason="not needed")
    driver.advance(7200)
    sweep.run()

    assert types(instance) == ["instance.planned", f"instance.{state}"]
    assert not Timer.objects.exists()


def test_it_takes_its_place_when_it_really_starts(driver: Driver) -> None:
    document = f"{HEAD}concurrency: {{limit: 1, key: '${{ input.n }}'}}\n{STEPS}"
    later = planned(driver, document)
    at_once = driver.start(document, {"n": 1})
    assert at_once.state == "running", "what is only planned holds no place"
    driver.advance(3600)

    sweep.run()

    assert types(later) == ["instance.planned", "instance.accepted"]
    assert Slot.objects.get(instance=later).state == "waiting"
    driver.work_off()
    assert reloaded(at_once).state == "completed"
    assert reloaded(later).state == "completed"
    assert not Slot.objects.exists()


def test_while_its_workflow_is_held_it_is_put_off(driver: Driver) -> None:
    instance = planned(driver)
    holds.hold(kind=Kind.DEFINITION, name="w", actor="ada", reason="the bank is down")
    driver.advance(3600)

    assert sweep.run().timers == 0
    assert reloaded(instance).state == "pending"
    assert "bank is down" in results.why(instance.pk)["sentence"]

    holds.release(kind=Kind.DEFINITION, name="w", actor="ada")
    driver.advance(sweep.HELD.total_seconds())
    assert sweep.run().timers == 1
    assert reloaded(instance).state == "running"


NAIVE = datetime(2026, 1, 2)
PAST = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        ({"at": NAIVE}, "at: has no time zone"),
        ({"at": PAST}, "at: 2025-01-01T00:00:00+00:00 is not in the future"),
        ({"at": datetime(2200, 1, 1, tzinfo=UTC)}, "at: is more than 100 years ahead"),
        ({"after": 0}, "in: must be longer than nothing"),
        ({"at": PAST, "after": 5.0}, "at: is given beside a delay"),
    ],
)
def test_a_time_that_is_none_is_refused_with_its_reason(driver: Driver, when: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputInvalid) as refused:
        driver.start(HEAD + STEPS, {"n": 1}, **when)

    [problem] = refused.value.problems
    assert problem.code == "INVALID_TIME"
    assert reason in str(problem)
    assert not Instance.objects.exists()


def test_asked_for_once_more_after_its_time_it_is_the_same_start(driver: Driver) -> None:
    instance = planned(driver, idempotency_key="k")
    at = driver.now + HOUR
    driver.advance(7200)

    again = instances.start(name="w", actor="ada", input={"n": 1}, at=at, idempotency_key="k")

    assert again.pk == instance.pk
    with pytest.raises(Conflict):
        instances.start(name="w", actor="ada", input={"n": 2}, at=at, idempotency_key="k")
