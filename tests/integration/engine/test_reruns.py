"""An operator has an instance run again from a step: under new keys, with other parameters if there are any."""

from __future__ import annotations

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from tests.integration.engine.test_calls import PACK, publish
from tests.integration.engine.test_pauses import check, states
from tests.integration.engine.test_rewinds import ORDER, UNDO, keys, rerun, undone
from workflows_app.models import AuditEntry, Event
from workflows_app.services.checkpoints import AttemptCheckpoint
from workflows_app.services.steps import Claim


def test_a_step_runs_again_with_other_parameters_and_what_depends_on_it_too(driver: Driver) -> None:
    instance = driver.start(ORDER)
    assert driver.run(instance)["output"] == 2

    going = rerun(instance, "pay", {"v": 40})
    assert going.state == "compensating"
    view = driver.run(instance)

    assert (view["state"], view["output"]) == ("completed", 40)
    assert undone(driver) == ["book", "pay"], "what had been done is given back first"
    assert [path for path, role in driver.calls if role == "action"].count("rate") == 1, "the rest keeps its outcome"
    assert keys(instance, "pay") == [("action", "pay:0"), ("compensation", "pay:0:undo"), ("action", "pay:1")]
    assert instance.steps.get(path="pay").rerun == 1
    rewound, scheduled, resumed = Event.objects.filter(
        instance=instance, actor="ada", type__in=["instance.rewound", "step.scheduled", "instance.resumed"]
    ).order_by("sequence")
    assert rewound.data["again"] == ["pay", "book", "ship"]
    assert scheduled.data["input"] == {"v": 40}
    assert resumed.data == {"reason": "wrong price"}
    assert AuditEntry.objects.get(action="instance.rerun").data == {"step": "pay", "reason": "wrong price"}
    check(instance)


def test_without_parameters_they_are_evaluated_anew(driver: Driver) -> None:
    driver.perform = {"ship": fail()}
    instance = driver.start(ORDER)
    driver.run(instance)
    driver.perform = {}

    rerun(instance, "rate")
    view = driver.run(instance)

    assert (view["state"], undone(driver)) == ("completed", []), "nothing behind it has anything to undo"
    assert keys(instance, "ship") == [("action", "ship:0"), ("action", "ship:1")]
    check(instance)


def test_what_the_failure_had_ended_elsewhere_goes_on_as_with_a_retry(driver: Driver) -> None:
    driver.perform = {"b": fail()}
    instance = driver.start(
        flow("""
  - {id: a, needs: [], activity: core.echo}
  - {id: b, needs: [], activity: core.echo, with: {v: 1}}
  - {id: c, needs: [a, b], activity: core.echo}
""")
    )
    assert driver.run(instance)["state"] == "failed"
    driver.perform = {}

    rerun(instance, "a", {"v": 2})
    view = driver.run(instance)

    assert view["state"] == "completed"
    assert keys(instance, "b") == [("action", "b:0")] * 2, "the same work, so the same key"
    assert keys(instance, "a") == [("action", "a:0"), ("action", "a:1")]
    check(instance)


def test_a_key_of_the_definition_s_own_becomes_another_one(driver: Driver) -> None:
    instance = driver.start(flow("  - {id: pay, activity: core.echo, idempotency_key: order-7}"))
    driver.run(instance)

    rerun(instance, "pay")
    driver.run(instance)
    rerun(instance, "pay", {})
    driver.run(instance)

    assert [key for _, key in keys(instance, "pay")] == ["order-7", "order-7:1", "order-7:2"]


def test_what_runs_again_runs_whatever_was_kept_of_the_run_before(driver: Driver) -> None:
    found: list[object] = []

    def load(claim: Claim) -> object:
        checkpoint = AttemptCheckpoint(claim)
        found.append(checkpoint.load())
        checkpoint.save({"through": 7})
        return claim.parameters

    driver.perform = {"load": load}
    instance = driver.start(
        flow("""
  - {id: load, activity: core.echo}
  - {id: quick, activity: core.echo, cache: {ttl: 1h}}
""")
    )
    driver.run(instance)

    rerun(instance, "load")
    driver.run(instance)

    assert found == [None, None]
    assert [path for path, _ in driver.calls] == ["load", "quick"] * 2
    check(instance)


def test_a_key_that_the_new_parameters_spoil_fails_the_step_and_nothing_else(driver: Driver) -> None:
    steps_ = f"  - {{id: pay, activity: core.echo, with: {{n: a}}, idempotency_key: '${{ with.n }}', {UNDO}}}"
    instance = driver.start(flow(steps_, head="on_failure: stop"))
    driver.run(instance)

    rerun(instance, "pay", {"n": 1})
    view = driver.run(instance)

    assert (view["state"], view["error"]["code"], undone(driver)) == ("failed", "EXPRESSION_ERROR", ["pay"])
    check(instance)
    rerun(instance, "pay", {"n": "b"})
    assert driver.run(instance)["state"] == "completed"
    assert keys(instance, "pay")[-1] == ("action", "b:2")


def test_a_call_is_undone_below_and_runs_a_new_instance(driver: Driver) -> None:
    publish(PACK)
    instance = driver.start(
        flow("""
  - {id: pack, call: {workflow: pack, input: {sku: a}}}
  - {id: aside, call: {workflow: pack, input: {sku: b}, wait: false}}
  - {id: last, activity: core.echo}
""")
    )
    driver.run(instance)

    rerun(instance, "pack")
    view = driver.run(instance)

    assert view["state"] == "completed"
    called = [(each["step"], each["state"]) for each in view["children"]]
    assert sorted(called) == [
        ("aside", "completed"),
        ("aside", "completed"),
        ("pack", "compensated"),
        ("pack", "completed"),
    ]
    check(instance)


def test_blocks_run_again_whole(driver: Driver) -> None:
    instance = driver.start(
        flow("""
  - {id: pick, activity: core.echo, with: {way: long}}
  - id: way
    choice:
      - when: steps.pick.output.way == 'long'
        steps: [{id: walk, activity: core.echo}, {id: rest, activity: core.echo}]
      - {steps: [{id: ride, activity: core.echo}]}
  - id: both
    parallel: {branches: {one: [{id: left, activity: core.echo}], two: [{id: right, activity: core.echo}]}}
""")
    )
    driver.run(instance)
    assert states(instance)["ride"] == "skipped"

    rerun(instance, "pick", {"way": "short"})
    view = driver.run(instance)

    assert view["state"] == "completed"
    assert (view["steps"]["walk"], view["steps"]["rest"], view["steps"]["ride"]) == ("skipped", "skipped", "completed")
    assert keys(instance, "left") == [("action", "left:0"), ("action", "left:1")]
    check(instance)
