"""What a start overrides: it holds for the one instance, whoever decides, and beats all that its definition says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest

from tests.integration.driver import Driver
from workflows_app.engine.errors import ActivityError, Conflict, InputInvalid
from workflows_app.models import Attempt, Dispatch, Event, Instance, Timer
from workflows_app.selectors import results
from workflows_app.services import instances, interventions, machines, steps, sweep

DOCUMENT = """
workflow: w
version: 1.0.0
timeout: 1d
variables: {v: 0}
priority: low
defaults: {timeout: 40s, retry: {max_attempts: 2, initial_interval: 1s, jitter: 0}}
steps:
  - {id: pay, activity: core.echo, timeout: 50s, priority: normal}
  - {id: ship, activity: core.echo}
  - {id: pause, wait: {for: 1h}}
  - id: each
    foreach: {items: [1, 2], steps: [{id: pack, activity: core.echo}]}
  - {id: note, set: {v: 1}}
"""


def start(driver: Driver, overrides: dict[str, Any], **options: Any) -> Instance:
    return driver.start(DOCUMENT, overrides=overrides, **options)


def boom(claim: Any) -> None:
    raise ActivityError("no")


def claimed(instance: Instance, path: str) -> Any:
    generation = Dispatch.objects.get(instance=instance, path=path).generation
    return steps.claim(instance_id=instance.pk, path=path, generation=generation, worker="w")


def test_times_are_its_own_on_the_hot_path_and_by_the_engine(driver: Driver) -> None:
    own = {"timeout": "2h", "steps": {"pay": {"timeout": "30s"}, "ship": {"timeout": "2m"}, "pack": {"timeout": 5}}}
    instance = start(driver, own)

    assert Timer.objects.get(instance=instance).due_at == driver.now + timedelta(hours=2)
    driver.work(claimed(instance, "pay"))
    shipped = Dispatch.objects.get(instance=instance)
    assert (shipped.path, shipped.timeout, shipped.queue) == ("ship", 120, "long"), "a longer time is for another queue"
    driver.run(instance)

    times = {row.path: (row.timeout_at - row.started_at).total_seconds() for row in Attempt.objects.all()}
    assert times == {"pay": 30, "ship": 120, "each[0].pack": 5, "each[1].pack": 5}
    others = driver.start(DOCUMENT.replace("1.0.0", "1.0.1"))
    assert Timer.objects.get(instance=others).due_at == driver.now + timedelta(days=1)
    assert Dispatch.objects.get(instance=others).timeout == 50


def test_a_worker_that_goes_on_by_itself_knows_them_too(driver: Driver) -> None:
    instance = start(driver, {"steps": {"pay": {"timeout": "30s"}, "ship": {"timeout": "20s"}}})
    onward = steps.Onward(goes_on=lambda: True)
    claim = claimed(instance, "pay")

    assert steps.succeeded(claim=claim, output=1, onward=onward)

    assert onward.next is not None
    assert (onward.next.path, onward.next.timeout, onward.next.graph["ship"].timeout) == ("ship", 20, 20)
    assert onward.next.graph is claim.graph


def test_the_whole_is_timed_out_by_its_own_time(driver: Driver) -> None:
    instance = start(driver, {"timeout": "10m"})
    driver.work(claimed(instance, "pay"))
    driver.work(claimed(instance, "ship"))
    driver.advance(600)

    sweep.run()

    found = Instance.objects.get(pk=instance.pk)
    assert (found.state, found.cause) == ("failed", "timed_out")
    assert found.error["message"] == "the instance took longer than 600 s"


@pytest.mark.parametrize(("attempts", "made"), [({}, 2), ({"max_attempts": 4}, 4), ({"max_attempts": 1}, 1)])
def test_a_step_is_tried_as_often_as_its_instance_says(driver: Driver, attempts: dict[str, int], made: int) -> None:
    driver.perform = {"pay": boom}
    instance = start(driver, {"steps": {"pay": attempts}} if attempts else {})

    driver.run(instance)

    assert Attempt.objects.filter(instance=instance, path="pay").count() == made


def test_it_is_said_of_how_many_attempts_a_step_has(driver: Driver) -> None:
    driver.perform = {"pay": boom}
    instance = start(driver, {"steps": {"pay": {"max_attempts": 5}}})
    driver.drain()

    assert results.why(instance.pk)["sentence"].startswith("Attempt 2 of 5 of “pay” in 1.0 s")


def test_of_two_priorities_that_of_the_step_beats_that_of_the_instance(driver: Driver, settings: Any) -> None:
    settings.ORCHESTRATOR_WINDOW = 0
    instance = start(driver, {"priority": "high", "steps": {"ship": {"priority": "critical"}}})

    def ahead() -> tuple[str, float]:
        row = Dispatch.objects.get(instance=instance)
        return row.path, 0 if row.rank is None else (row.created_at - row.rank).total_seconds()

    found = [ahead()]
    driver.work(claimed(instance, "pay"))
    found.append(ahead())

    assert found == [("pay", 300), ("ship", 600)]


def test_they_stand_in_its_first_event_and_in_what_is_shown(driver: Driver) -> None:
    instance = start(
        driver, {"timeout": "90s", "priority": "high", "steps": {"pay": {"timeout": "1m", "max_attempts": 3}}}
    )

    kept = {"timeout": 90, "priority": "high", "steps": {"pay": {"timeout": 60, "max_attempts": 3}}}
    assert Event.objects.get(instance=instance, sequence=1).data["overrides"] == kept
    assert results.instance_view(instance.pk)["overrides"] == kept
    assert (
        "overrides" not in Event.objects.get(instance=driver.start(DOCUMENT.replace("1.0.0", "2.0.0")), sequence=1).data
    )


def test_a_retry_of_the_whole_keeps_them(driver: Driver) -> None:
    driver.perform = {"pay": boom}
    instance = start(driver, {"timeout": "3h", "steps": {"pay": {"max_attempts": 1, "timeout": "9s"}}})
    driver.drain()

    interventions.retry(instance_id=instance.pk, actor="ada")

    assert Timer.objects.get(instance=instance).due_at == driver.now + timedelta(hours=3)
    assert Dispatch.objects.get(instance=instance).timeout == 9


def test_those_of_a_planned_start_wait_with_it(driver: Driver) -> None:
    instance = start(driver, {"timeout": "2h"}, after=60.0)
    driver.advance(60)
    sweep.run()

    assert Timer.objects.get(instance=instance).due_at == driver.now + timedelta(hours=2)


MACHINE = """
workflow: m
version: 1.0.0
kind: state_machine
initial: new
states: {new: {}, paid: {terminal: true}}
transitions:
  - {from: new, to: paid, event: paid, do: [{activity: core.echo}]}
"""


def test_an_action_of_a_state_machine_is_named_with_its_transition(driver: Driver) -> None:
    instance = driver.start(MACHINE, overrides={"steps": {"paid.echo": {"timeout": "7s"}}})

    machines.send_event(instance_id=instance.pk, event="paid", actor="ada")

    assert Dispatch.objects.get(instance=instance).timeout == 7


@pytest.mark.parametrize(
    ("overrides", "code", "problem"),
    [
        ({"steps": {"pai": {"timeout": "1s"}}}, "UNKNOWN_STEP", "steps.pai: there is no step 'pai' in w 1.0.0"),
        ({"steps": {"each[0].pack": {}}}, "UNKNOWN_STEP", "there is no step 'each[0].pack'"),
        ({"timeout": "soon"}, "INVALID_OVERRIDE", "overrides.timeout: `soon` is not a duration"),
        ({"timeout": 0}, "INVALID_OVERRIDE", "overrides.timeout: a time-out must be longer than nothing"),
        ({"steps": {"pay": {"max_attempts": 0}}}, "INVALID_OVERRIDE", "pay.max_attempts: must be a number"),
        ({"steps": {"pay": {"priority": "urgent"}}}, "INVALID_OVERRIDE", "must be one of critical, high, normal, low"),
        ({"steps": {"pause": {"max_attempts": 2}}}, "NO_EFFECT", "pause.max_attempts: has no effect on a `wait`"),
        ({"steps": {"note": {"timeout": "1s"}}}, "NO_EFFECT", "has no effect on a `set` step"),
        ({"steps": {"pay": {"retries": 2}}}, "UNKNOWN_OVERRIDE", "overrides.steps.pay.retries: is unknown"),
        ({"steps": {"pay": {"resources": {"cpu": 2}}}}, "NOT_AVAILABLE", "pay.resources: `resources` is not"),
        ({"resources": {"memory": "1GB"}}, "NOT_AVAILABLE", "overrides.resources"),
        ({"steps": ["pay"]}, "INVALID_OVERRIDE", "overrides.steps: must name steps"),
    ],
)  # fmt: skip
def test_what_cannot_be_overridden_is_refused_with_its_place_and_nothing_is_stored(
    driver: Driver, overrides: dict[str, Any], code: str, problem: str
) -> None:
    with pytest.raises(InputInvalid) as refused:
        start(driver, overrides)

    assert refused.value.code == code
    assert [each for each in map(str, refused.value.problems) if problem in each], refused.value.problems
    assert not Instance.objects.exists()
    assert not Event.objects.exists()


def test_a_key_stands_for_its_overrides_as_for_its_input(driver: Driver) -> None:
    first = start(driver, {"timeout": "90s"}, idempotency_key="k")

    again = instances.start(name="w", actor="ada", overrides={"timeout": 90}, idempotency_key="k")

    assert again.pk == first.pk
    with pytest.raises(Conflict, match="other overrides"):
        instances.start(name="w", actor="ada", overrides={"timeout": "2h"}, idempotency_key="k")
    with pytest.raises(Conflict, match="other overrides"):
        instances.start(name="w", actor="ada", idempotency_key="k")


def test_an_instance_may_bring_its_id_once(driver: Driver) -> None:
    key = uuid4()
    first = start(driver, {}, instance_id=key, idempotency_key="k")

    again = instances.start(name="w", actor="ada", instance_id=key, idempotency_key="k")

    assert (first.pk, again.pk, first.correlation_id) == (key, key, str(key))
    with pytest.raises(Conflict) as taken:
        instances.start(name="w", actor="ada", instance_id=key)
    assert taken.value.code == "ID_TAKEN"
    with pytest.raises(Conflict, match="another id"):
        instances.start(name="w", actor="ada", instance_id=uuid4(), idempotency_key="k")
    assert Instance.objects.count() == 1


@pytest.mark.parametrize("key", [uuid5(uuid4(), "x"), UUID(int=0)])
def test_an_id_that_a_called_instance_could_have_is_refused(driver: Driver, key: UUID) -> None:
    with pytest.raises(InputInvalid) as refused:
        start(driver, {}, instance_id=key)

    assert refused.value.code == "INVALID_ID"
