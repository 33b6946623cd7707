"""Workflows that call workflows: starting, ending, failing, stopping and undoing across instances."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from workflows_app.engine.errors import DefinitionInvalid
from workflows_app.models import Attempt, DefinitionVersion, Dispatch, Event, Instance, Notice, Timer
from workflows_app.selectors import results
from workflows_app.services import definitions, instances, sweep

PACK = flow(
    """
  - {id: take, activity: core.echo, with: {sku: "${ input.sku }"}, compensate: {activity: core.echo}}
  - {id: wrap, activity: core.echo, with: {wrapped: "${ steps.take.output.sku }"}}
""",
    name="pack",
    head="""
input: {type: object, required: [sku], properties: {sku: {type: string}}}
output: "${ steps.wrap.output.wrapped }"
""",
)
ORDER = flow(
    """
  - {id: pack, call: {workflow: pack, input: {sku: "${ input.sku }"}}}
  - {id: send, activity: core.echo, with: {parcel: "${ steps.pack.output }"}}
""",
    name="order",
)


def publish(*documents: str) -> None:
    for document in documents:
        definitions.publish(text=document, actor="ada")


def child(of: Instance, step: str) -> Instance:
    return Instance.objects.get(parent=of, parent_path=step)


def shown(instance: Instance) -> dict[str, Any]:
    return results.instance_view(instance.pk)


def types(instance: Instance) -> list[str]:
    return list(Event.objects.filter(instance=instance).order_by("sequence").values_list("type", flat=True))


def test_a_call_waits_for_the_end_and_its_output_is_that_of_what_it_called(driver: Driver) -> None:
    publish(PACK)
    order = driver.start(ORDER, {"sku": "A-1"}, correlation_id="order-7")

    view = driver.run(order)

    called = child(order, "pack")
    assert view["state"] == "completed"
    assert driver.calls == [("take", "action"), ("wrap", "action"), ("send", "action")]
    assert Attempt.objects.get(instance=order).path == "send"
    assert (called.state, called.output, called.input) == ("completed", "A-1", {"sku": "A-1"})
    assert (called.correlation_id, called.started_by) == ("order-7", "ada")
    assert types(called)[:2] == ["instance.created", "instance.started"]
    assert not Notice.objects.exists()


def test_both_instances_name_each_other(driver: Driver) -> None:
    publish(PACK)
    order = driver.start(ORDER, {"sku": "A-1"})

    called = child(order, "pack")

    link = {"step": "pack", "id": str(called.pk), "workflow": "pack", "version": "1.0.0", "state": "pending"}
    assert shown(order)["children"] == [link]
    assert shown(called)["parent"] == {"instance": str(order.pk), "step": "pack"}
    waiting = Event.objects.get(instance=order, type="step.waiting")
    assert waiting.data["child"] == str(called.pk)
    created = Event.objects.get(instance=called, type="instance.created")
    assert created.data["parent"] == {"instance": str(order.pk), "step": "pack", "depth": 1, "awaited": True}


def test_a_call_that_does_not_wait_completes_at_once_and_the_other_goes_its_own_way(driver: Driver) -> None:
    publish(PACK)
    driver.perform = {"take": fail()}
    document = flow("  - {id: pack, call: {workflow: pack, input: {sku: a}, wait: false}}", name="order")

    order = driver.start(document)

    called = child(order, "pack")
    assert shown(order)["state"] == "completed"
    assert Event.objects.get(instance=order, type="step.completed").data["output"] == {"instance": str(called.pk)}
    assert driver.run(called)["state"] == "failed"
    assert shown(order)["state"] == "completed"


def test_what_fails_below_fails_above_with_the_same_code_and_names_the_instance(driver: Driver) -> None:
    publish(PACK)
    driver.perform = {"wrap": fail("NO_PAPER", roll=3)}
    order = driver.start(ORDER, {"sku": "a"})

    view = driver.run(order)

    called = child(order, "pack")
    assert (called.state, view["state"]) == ("compensated", "failed")
    assert view["error"]["code"] == "NO_PAPER"
    assert view["error"]["details"] == {"roll": 3, "instance": str(called.pk), "state": "compensated"}
    assert view["steps"] == {"pack": "failed", "send": "cancelled"}


@pytest.mark.parametrize(
    ("policy", "state", "output"),
    [("continue", "failed", None), ("{output: {code: '${ error.code }'}}", "completed", {"code": "BROKEN"})],
)
def test_on_error_decides_about_a_failed_call(driver: Driver, policy: str, state: str, output: Any) -> None:
    publish(PACK)
    driver.perform = {"take": fail()}
    order = driver.start(
        ORDER.replace("}}}\n  - {id: send", f"}}}}, on_error: {policy}}}\n  - {{id: send", 1), {"sku": "a"}
    )

    view = driver.run(order)

    assert (view["state"], view["steps"]["pack"]) == ("completed", state)
    assert order.steps.get(path="pack").output == output


def test_input_that_the_other_does_not_take_fails_the_step_and_creates_nothing(driver: Driver) -> None:
    publish(PACK)

    order = driver.start(ORDER, {"sku": 12})

    view = shown(order)
    assert (view["state"], view["error"]["code"]) == ("failed", "INPUT_INVALID")
    assert [problem["path"] for problem in view["error"]["details"]["problems"]] == ["input.sku"]
    assert "input.sku" in view["error"]["message"]
    assert Instance.objects.count() == 1
    assert not Notice.objects.exists()


def test_a_version_is_found_when_the_caller_is_published_and_stays(driver: Driver) -> None:
    publish(PACK, ORDER)
    publish(PACK.replace("1.0.0", "2.0.0"))
    publish(ORDER.replace("1.0.0", "1.1.0"))

    old = instances.start(name="order", version="1.0.0", input={"sku": "a"}, actor="ada")
    new = instances.start(name="order", version="1.1.0", input={"sku": "a"}, actor="ada")

    assert (child(old, "pack").version, child(new, "pack").version) == ("1.0.0", "2.0.0")
    assert DefinitionVersion.objects.get(definition__name="order", version="1.0.0").calls["pack"]["version"] == "1.0.0"
    driver.run(old)
    driver.run(new)


@pytest.mark.parametrize(
    ("call", "code", "path", "message"),
    [
        ("{workflow: nowhere}", "UNKNOWN_WORKFLOW", "steps[0].call.workflow", "there is no workflow 'nowhere'"),
        ("{workflow: pack, version: 9.0.0}", "UNKNOWN_WORKFLOW", "steps[0].call.version", "published: 1.0.0"),
        ("{workflow: pack}", "MISSING_REQUIRED_INPUT", "steps[0].call.input", "missing"),
        ("{workflow: pack, input: {sku: 3}}", "INPUT_INVALID", "steps[0].call.input.sku", "must be text"),
        ("{workflow: pack, input: '${ steps.x.output }'}", "UNKNOWN_STEP", "steps[0].call.input", "no step `x`"),
    ],
)
def test_a_call_that_cannot_work_is_refused_at_publish(
    driver: Driver, call: str, code: str, path: str, message: str
) -> None:
    publish(PACK)

    with pytest.raises(DefinitionInvalid) as refused:
        publish(flow(f"  - {{id: a, call: {call}}}"))

    (problem,) = [p for p in refused.value.problems if p.code == code]
    assert (problem.path.startswith(path), message in problem.message) == (True, True), problem


def test_an_unsound_definition_with_a_call_is_refused_like_any_other(driver: Driver) -> None:
    problems = definitions.validate(text=flow("  - {id: a, needs: [b], call: {workflow: flow}}"))

    assert [(p.code, p.path) for p in problems] == [("UNKNOWN_NEED", "steps[0].needs[0]")]


def test_calling_a_deprecated_version_is_a_warning(driver: Driver) -> None:
    publish(PACK)
    DefinitionVersion.objects.update(deprecated=True)

    problems = definitions.validate(text=flow("  - {id: a, call: {workflow: pack, version: 1.0.0, input: {sku: a}}}"))

    assert [(p.code, p.severity) for p in problems] == [("DEPRECATED_WORKFLOW", "warning")]


@pytest.mark.parametrize("key", ["retry: {max_attempts: 2}", "queue: q", "batch: false"])
def test_keys_that_mean_nothing_on_a_call_are_refused(driver: Driver, key: str) -> None:
    publish(PACK)

    problems = definitions.validate(text=flow(f"  - {{id: a, call: {{workflow: pack, input: {{sku: a}}}}, {key}}}"))

    assert [p.code for p in problems] == ["NOT_AVAILABLE"]


FOREVER = flow("  - {id: again, call: {workflow: forever}}", name="forever")


def test_a_recursion_without_an_end_fails_at_the_limit_and_leaves_nothing_behind(driver: Driver, settings: Any) -> None:
    settings.ORCHESTRATOR_CALL_DEPTH = 4
    top = driver.start(FOREVER)

    view = driver.run(top)

    assert (view["state"], view["error"]["code"]) == ("failed", "CALL_TOO_DEEP")
    assert sorted(Instance.objects.values_list("depth", "state")) == [(n, "failed") for n in range(5)]
    assert not Notice.objects.exists()


LOW = """
  - {id: dig, activity: core.echo, compensate: {activity: core.echo}}
  - {id: rest, wait: {for: 1d}}
"""
CHAIN = (flow(LOW, name="low"), flow("  - {id: low, call: {workflow: low}}", name="mid"))
TOP = flow("  - {id: mid, call: {workflow: mid}}", name="top")


@pytest.mark.parametrize(
    ("compensate", "lowest", "upper"),
    [(None, "compensated", "cancelled"), (True, "compensated", "cancelled"), (False, "cancelled", "cancelled")],
)
def test_a_cancel_reaches_children_and_grandchildren(
    driver: Driver, compensate: bool | None, lowest: str, upper: str
) -> None:
    publish(*CHAIN)
    top = driver.start(TOP)
    driver.drain()

    instances.cancel(instance_id=top.pk, actor="ada", compensate=compensate)
    assert shown(top)["state"] == "running", "it waits until those below have ended"
    driver.drain()

    mid = child(top, "mid")
    low = child(mid, "low")
    assert (shown(low)["state"], shown(mid)["state"], shown(top)["state"]) == (lowest, upper, upper)
    assert not Timer.objects.exists()
    assert not Notice.objects.exists()
    stopping = Event.objects.get(instance=low, type="instance.stopping")
    assert (stopping.actor, stopping.data["undo"]) == (f"instance:{mid.pk}", compensate is not False)


def test_what_was_not_started_yet_never_is(driver: Driver) -> None:
    publish(PACK)
    order = driver.start(ORDER, {"sku": "a"})

    instances.cancel(instance_id=order.pk, actor="ada")
    driver.drain()

    called = child(order, "pack")
    assert (called.state, types(called)) == ("cancelled", ["instance.created", "instance.cancelled"])
    assert shown(order)["state"] == "cancelled"
    assert driver.calls == []


def test_terminating_ends_what_is_below_too(driver: Driver) -> None:
    publish(*CHAIN)
    top = driver.start(TOP)
    driver.drain()

    instances.terminate(instance_id=top.pk, actor="ada", reason="enough")
    assert shown(top)["state"] == "terminated"
    driver.drain()

    assert set(Instance.objects.values_list("state", flat=True)) == {"terminated"}
    assert not Notice.objects.exists()


def test_somebody_cancelling_only_what_is_below_fails_the_step(driver: Driver) -> None:
    publish(*CHAIN)
    top = driver.start(TOP)
    driver.drain()

    instances.cancel(instance_id=child(top, "mid").pk, actor="bob", compensate=False, reason="wrong one")
    driver.drain()

    view = shown(top)
    assert (view["state"], view["steps"]["mid"]) == ("failed", "failed")
    assert (view["error"]["code"], view["error"]["message"]) == ("CHILD_CANCELLED", "wrong one")


@pytest.mark.parametrize(("policy", "state"), [("", "failed"), (", on_error: continue", "completed")])
def test_a_deadline_cancels_what_was_called_and_the_step_has_timed_out(driver: Driver, policy: str, state: str) -> None:
    publish(*CHAIN)
    top = driver.start(TOP.replace("}}", f"}}, deadline: 1h{policy}}}", 1).replace("}}}", "}}"))
    driver.drain()

    driver.advance(3600)
    sweep.fire_timers()
    assert shown(top)["steps"]["mid"] == "waiting", "what it called has not ended yet"
    driver.drain()

    view = shown(top)
    assert (view["state"], view["steps"]["mid"]) == (state, "timed_out")
    assert child(top, "mid").state == "cancelled"
    assert child(child(top, "mid"), "low").state == "compensated"


def test_a_time_out_of_the_whole_instance_reaches_what_is_below(driver: Driver) -> None:
    publish(*CHAIN)
    top = driver.start(TOP.replace("steps:", "timeout: 1h\nsteps:", 1))
    driver.drain()

    driver.advance(3600)
    sweep.fire_timers()
    driver.drain()

    assert (shown(top)["state"], shown(top)["cause"]) == ("failed", "timed_out")
    assert child(child(top, "mid"), "low").state == "compensated"


def test_a_losing_call_is_cancelled_and_the_race_does_not_wait_for_it(driver: Driver) -> None:
    publish(*CHAIN)
    race = flow(
        """
  - {id: slow, needs: [], call: {workflow: mid}}
  - {id: quick, needs: [], activity: core.echo}
  - {id: first, needs: [slow, quick], join: any, rest: cancel, activity: core.echo}
"""
    )
    instance = driver.start(race)
    while driver.hand_over():
        pass

    view = driver.run(instance)

    assert (view["state"], view["steps"]["slow"], view["steps"]["first"]) == ("completed", "cancelled", "completed")
    assert child(child(instance, "slow"), "low").state in ("cancelled", "compensated")


SAGA = flow(
    """
  - {id: pack, call: {workflow: pack, input: {sku: a}}}
  - {id: pay, activity: core.echo, compensate: {activity: core.echo}}
  - {id: last, activity: core.echo}
""",
    name="saga",
)


def test_a_completed_call_is_undone_by_what_it_called_in_its_turn(driver: Driver) -> None:
    publish(PACK)
    driver.perform = {"last": fail()}
    saga = driver.start(SAGA)

    view = driver.run(saga)

    called = child(saga, "pack")
    assert [call for call in driver.calls if call[1] == "compensation"] == [
        ("pay", "compensation"),
        ("take", "compensation"),
    ]
    assert (view["state"], view["steps"]["pack"]) == ("compensated", "compensated")
    assert (called.state, called.cause) == ("compensated", "failure")
    assert called.output == "a"
    assert called.ended_at is not None


def test_calls_that_do_not_depend_on_each_other_are_undone_side_by_side(driver: Driver) -> None:
    publish(PACK)
    call = "call: {workflow: pack, input: {sku: a}}, needs: []"
    steps = f"""
  - {{id: one, {call}}}
  - {{id: other, {call}}}
  - {{id: last, activity: core.echo, needs: [one, other]}}
"""
    driver.perform = {"last": fail()}
    saga = driver.start(flow(steps, name="saga"))
    while (child(saga, "one").state, child(saga, "other").state) != ("compensating", "compensating"):
        claim = driver.claim_next()
        assert claim is None or claim.role == "action", "neither waits for the end of the other's undo"
        if claim is None:
            assert driver.hand_over()
        else:
            driver.work(claim)

    assert driver.run(saga)["state"] == "compensated"


def test_an_undo_that_fails_below_fails_above(driver: Driver) -> None:
    publish(PACK)
    driver.perform = {"last": fail(), "undo_take": fail("GLUED")}
    saga = driver.start(SAGA)

    view = driver.run(saga)

    assert (view["state"], view["steps"]["pack"]) == ("compensation_failed", "compensation_failed")
    assert saga.steps.get(path="pack").undo_error["code"] == "CHILD_NOT_UNDONE"
    assert child(saga, "pack").state == "compensation_failed"


def test_undoing_reaches_grandchildren(driver: Driver) -> None:
    publish(CHAIN[0].replace("for: 1d", "for: 1s"), CHAIN[1])
    driver.perform = {"last": fail()}
    top = driver.start(TOP + "\n  - {id: last, activity: core.echo}")

    view = driver.run(top)

    assert view["state"] == "compensated"
    assert set(Instance.objects.values_list("state", flat=True)) == {"compensated"}
    assert ("dig", "compensation") in driver.calls


def test_a_compensation_on_the_call_takes_the_place_of_undoing_what_it_called(driver: Driver) -> None:
    publish(PACK)
    driver.perform = {"last": fail()}
    own = ", compensate: {activity: core.echo, with: {sku: '${ with.sku }', back: '${ output }'}}}"
    saga = driver.start(SAGA.replace("{sku: a}}}", "{sku: a}}" + own, 1))

    view = driver.run(saga)

    assert view["state"] == "compensated"
    assert ("pack", "compensation") in driver.calls
    assert ("take", "compensation") not in driver.calls
    assert child(saga, "pack").state == "completed"
    assert saga.steps.get(path="pack").undo_input == {"sku": "a", "back": "a"}


def test_an_irreversible_call_is_left_as_it_is(driver: Driver) -> None:
    publish(PACK)
    driver.perform = {"last": fail()}
    saga = driver.start(SAGA.replace("{sku: a}}}", "{sku: a}}, compensate: irreversible}", 1))

    view = driver.run(saga)

    assert (view["state"], view["steps"]["pack"]) == ("compensated", "completed")
    assert child(saga, "pack").state == "completed"


def test_the_sweep_starts_what_a_process_that_died_did_not(driver: Driver) -> None:
    publish(PACK)
    order = driver.start(ORDER, {"sku": "a"})
    assert child(order, "pack").state == "pending"
    assert not Dispatch.objects.exists()

    swept = sweep.run()

    assert swept.handed_over == 1
    assert child(order, "pack").state == "running"
    assert Dispatch.objects.get().path == "take"


def test_two_ends_of_the_same_instance_wake_its_caller_once(driver: Driver) -> None:
    publish(flow("  - {id: a, set: {x: 1}}", name="pack", head="variables: {x: 0}"))
    order = driver.start(ORDER.replace("${ input.sku }", "s"))
    driver.drain()
    called = child(order, "pack")

    Notice.objects.create(child=called.pk, kind="ended", due_at=driver.now)
    Notice.objects.create(child=called.pk, kind="start", due_at=driver.now)
    driver.drain()

    assert types(order).count("instance.completed") == 1
    assert types(called).count("instance.started") == 1
    assert not Notice.objects.exists()
