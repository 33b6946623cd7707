"""An instance goes on by another version in any state that goes on: paused, failed, not begun, called by another."""

from __future__ import annotations

import pytest

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from tests.integration.engine.test_calls import ORDER as CALLER
from tests.integration.engine.test_calls import PACK, child
from tests.integration.engine.test_migrations import NEWER, ORDER, driver, migrate, publish, refused  # noqa: F401
from tests.integration.engine.test_pauses import check, pause, resume
from workflows_app.engine.errors import NotFound, StateForbids
from workflows_app.models import DefinitionVersion, Dispatch, Instance
from workflows_app.services import instances, interventions, rewinds

pytestmark = pytest.mark.django_db


def test_a_paused_instance_goes_on_by_the_new_version_when_it_is_resumed(driver: Driver) -> None:  # noqa: F811
    instance = driver.start(ORDER)
    driver.work(driver.claim_next())
    pause(instance)
    publish(NEWER)

    assert migrate(instance).state == "paused"
    assert not Dispatch.objects.exists()
    check(instance)
    resume(instance)

    assert driver.run(instance)["output"] == 41
    check(instance)


def test_a_failed_instance_is_mended_by_a_version_and_retried(driver: Driver) -> None:  # noqa: F811
    instance = driver.start(
        flow("""
  - {id: a, activity: core.echo, with: {v: 1}}
  - {id: b, activity: core.echo, with: {v: "${ steps.a.output.v / 0 }"}}
  - {id: c, activity: core.echo}
""")
    )
    assert driver.run(instance)["state"] == "failed"
    publish(
        flow("""
  - {id: a, activity: core.echo, with: {v: 1}}
  - {id: b, activity: core.echo, with: {v: "${ steps.a.output.v + 1 }"}}
  - {id: between, activity: core.echo}
  - {id: c, activity: core.echo, with: {v: "${ steps.b.output.v }"}}
""").replace("1.0.0", "2.0.0")
    )

    assert migrate(instance).state == "failed"
    check(instance)
    interventions.retry(instance_id=instance.pk, actor="ada")
    view = driver.run(instance)

    assert (view["state"], set(view["steps"].values())) == ("completed", {"completed"})
    assert instance.steps.get(path="c").output == {"v": 2}
    check(instance)


def test_a_failed_step_with_other_parameters_is_evaluated_anew_by_the_retry(driver: Driver) -> None:  # noqa: F811
    driver.perform = {"b": fail()}
    document = flow("  - {id: a, activity: core.echo}\n  - {id: b, activity: core.echo, with: {v: 1}}")
    instance = driver.start(document)
    assert driver.run(instance)["state"] == "failed"
    driver.perform = {}
    publish(document.replace("1.0.0", "2.0.0").replace("v: 1", "v: 2"))

    migrate(instance)
    interventions.retry(instance_id=instance.pk, actor="ada")
    driver.run(instance)

    assert instance.steps.get(path="b").output == {"v": 2}
    check(instance)


def test_a_migrated_instance_is_taken_back_to_a_step_like_any_other(driver: Driver) -> None:  # noqa: F811
    instance = driver.start(ORDER)
    driver.work(driver.claim_next())
    publish(NEWER)
    migrate(instance)
    assert driver.run(instance)["state"] == "completed"

    rewinds.rerun(instance_id=instance.pk, step="check", actor="ada")
    view = driver.run(instance)

    assert (view["state"], set(view["steps"].values())) == ("completed", {"completed"})
    check(instance)


def test_an_instance_that_has_not_begun_begins_by_the_new_version(driver: Driver) -> None:  # noqa: F811
    instance = driver.start(ORDER, after=3600.0)
    publish(NEWER)

    assert migrate(instance).state == "pending"
    check(instance)
    view = driver.run(instance)

    assert (view["state"], view["output"], set(view["steps"].values())) == ("completed", 45, {"completed"})
    check(instance)


def test_a_failure_that_a_pause_holds_back_takes_effect_under_the_new_name(driver: Driver) -> None:  # noqa: F811
    driver.perform = {"pay": fail()}
    instance = driver.start(ORDER)
    driver.work(driver.claim_next())
    claim = driver.claim_next()
    pause(instance)
    driver.work(claim)
    publish(ORDER.replace("1.0.0", "2.0.0").replace("id: pay", "id: charge"))

    assert refused(instance) == [("STEP_GONE", "pay")]
    migrate(instance, pay="charge")
    check(instance)
    resume(instance)
    view = driver.run(instance)

    assert (view["state"], view["steps"]["charge"], view["steps"]["stock"]) == ("compensated", "failed", "compensated")
    check(instance)


def test_a_failed_step_is_retried_under_its_new_name(driver: Driver) -> None:  # noqa: F811
    driver.perform = {"pay": fail()}
    instance = driver.start(ORDER.replace("variables", "on_failure: stop\nvariables"))
    assert driver.run(instance)["state"] == "failed"
    publish(
        ORDER.replace("variables", "on_failure: stop\nvariables").replace("1.0.0", "2.0.0").replace("pay", "charge")
    )

    migrate(instance, pay="charge")
    interventions.retry(instance_id=instance.pk, actor="ada")
    view = driver.run(instance)

    assert (view["state"], view["steps"]["charge"], view["output"]) == ("completed", "completed", 3)
    assert [each["idempotency_key"] for each in view["attempts"] if each["step"] == "charge"] == [
        f"{instance.pk}:pay:0"
    ], "the bank knows it by the name of then"
    check(instance)


def test_a_called_instance_goes_on_by_another_version_and_its_caller_gets_its_end(driver: Driver) -> None:  # noqa: F811
    publish(PACK)
    order = driver.start(CALLER, {"sku": "A-1"})
    while not Instance.objects.filter(parent=order).exists():
        driver.work(driver.claim_next())
    driver.hand_over()
    packing = child(order, "pack")
    publish(PACK.replace("1.0.0", "2.0.0").replace('wrapped: "${ steps', 'wrapped: "new ${ steps'))
    publish(PACK.replace("1.0.0", "3.0.0").replace(", compensate: {activity: core.echo}", ""))

    with pytest.raises(StateForbids, match=r"called it and may have it undone, and 3\.0\.0 undoes nothing"):
        migrate(packing, "3.0.0")
    migrate(packing)
    view = driver.run(order)

    assert (view["state"], view["steps"]["pack"]) == ("completed", "completed")
    assert order.steps.get(path="pack").output == "new A-1"
    check(packing)
    check(order)


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (instances.terminate, "the instance is terminated; only a pending, running, paused or failed one can"),
        (instances.cancel, "the instance is compensating; only a pending, running, paused or failed one can"),
    ],
)
def test_what_ends_or_has_ended_is_not_migrated(driver: Driver, act: object, reason: str) -> None:  # noqa: F811
    instance = driver.start(ORDER)
    driver.work(driver.claim_next())
    publish(NEWER)
    act(instance_id=instance.pk, actor="ada")  # type: ignore[operator]

    with pytest.raises(StateForbids, match=reason):
        migrate(instance)


def test_versions_that_nothing_goes_to_are_refused_in_words(driver: Driver) -> None:  # noqa: F811
    instance = driver.start(ORDER)
    publish(NEWER)
    DefinitionVersion.objects.filter(version="2.0.0").update(deprecated=True)

    for version, problem, words in (
        ("1.0.0", StateForbids, "is on 1.0.0 already"),
        ("2.0.0", StateForbids, "2.0.0 is deprecated"),
        ("3.0.0", NotFound, "flow has no version '3.0.0'"),
    ):
        with pytest.raises(problem, match=words):
            migrate(instance, version)


def test_a_state_machine_is_not_migrated(driver: Driver) -> None:  # noqa: F811
    machine = """
workflow: m
kind: state_machine
version: 1.0.0
initial: here
states: {here: {}, there: {terminal: true}}
transitions: [{from: here, to: there, event: go}]
"""
    instance = driver.start(machine)
    publish(machine.replace("1.0.0", "2.0.0"))

    with pytest.raises(StateForbids, match="state machines are not migrated"):
        migrate(instance)
