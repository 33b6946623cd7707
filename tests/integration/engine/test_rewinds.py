"""An operator takes an instance back to a step; what came after it is undone first, and what cannot be is refused."""

from __future__ import annotations

import pytest

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from tests.integration.engine.test_calls import PACK, child, publish
from tests.integration.engine.test_pauses import check, pause, resume, states
from workflows_app.engine.errors import InputInvalid, NotFound, StateForbids
from workflows_app.models import AuditEntry, Event, Instance, Slot, Subscription, Timer
from workflows_app.selectors import results
from workflows_app.services import instances, interventions, rewinds, steps, undos

UNDO = "compensate: {activity: core.echo}"
ORDER = flow(
    f"""
  - {{id: stock, activity: core.echo, with: {{v: "${{ vars.n }}"}}, {UNDO}}}
  - {{id: pay, activity: core.echo, with: {{v: "${{ vars.n + 1 }}"}}, {UNDO}}}
  - {{id: rate, needs: [stock], activity: core.echo}}
  - {{id: book, needs: [pay], activity: core.echo, with: {{v: "${{ steps.pay.output.v }}"}}, {UNDO}}}
  - {{id: ship, needs: [book, rate], activity: core.echo}}
""",
    head='on_failure: stop\nvariables: {n: 1}\ntimeout: 1h\noutput: "${ steps.book.output.v }"',
)


def rewind(instance: Instance, step: str) -> Instance:
    return rewinds.rewind(instance_id=instance.pk, step=step, actor="ada", reason="wrong price")


def rerun(instance: Instance, step: str, parameters: object = None) -> Instance:
    return rewinds.rerun(instance_id=instance.pk, step=step, parameters=parameters, actor="ada", reason="wrong price")


def undone(driver: Driver) -> list[str]:
    return [path for path, role in driver.calls if role == "compensation"]


def keys(instance: Instance, path: str) -> list[tuple[str, str]]:
    """Return the role and the idempotency key of each attempt of a step."""
    attempts = results.instance_view(instance.pk)["attempts"]
    return [(a["role"], a["idempotency_key"].removeprefix(f"{instance.pk}:")) for a in attempts if a["step"] == path]


# ---------------------------------------------------------------- rewind
def test_a_failed_instance_goes_back_to_a_step_and_stands_paused_there(driver: Driver) -> None:
    driver.perform = {"ship": fail()}
    instance = driver.start(ORDER)
    assert driver.run(instance)["state"] == "failed"

    going = rewind(instance, "stock")

    assert (going.state, going.cause, going.ended_at) == ("compensating", "operator", None)
    check(instance)
    driver.drain()
    assert undone(driver) == ["book", "pay"], "in the legal order, and nothing else"
    view = results.instance_view(instance.pk)
    assert (view["state"], view["cause"], view["error"]) == ("paused", None, None)
    assert view["steps"] == {"stock": "completed", **dict.fromkeys(("pay", "rate", "book", "ship"), "pending")}
    assert view["paused"]["sentence"].startswith("Paused by ada since")
    check(instance)


def test_with_new_variables_it_goes_on_from_there_under_new_keys(driver: Driver) -> None:
    driver.perform = {"ship": fail()}
    instance = driver.start(ORDER)
    driver.run(instance)
    rewind(instance, "stock")
    driver.drain()
    driver.perform = {}

    resume(instance, variables={"n": 5})
    view = driver.run(instance)

    assert (view["state"], view["output"]) == ("completed", 6)
    assert keys(instance, "pay") == [("action", "pay:0"), ("compensation", "pay:0:undo"), ("action", "pay:1")]
    assert keys(instance, "stock") == [("action", "stock:0")]
    assert [a["number"] for a in view["attempts"] if a["step"] == "pay"] == [1, 2, 3]
    check(instance)


def test_what_is_undone_later_is_what_ran_last(driver: Driver) -> None:
    driver.perform = {"ship": fail()}
    instance = driver.start(ORDER.replace("on_failure: stop", "on_failure: compensate"))
    while states(instance)["book"] != "completed":
        driver.work(driver.claim_next())
    pause(instance)
    rewind(instance, "stock")
    driver.drain()
    resume(instance, variables={"n": 5})

    view = driver.run(instance)

    assert (view["state"], set(view["steps"].values())) == ("compensated", {"compensated", "completed", "failed"})
    assert undone(driver) == ["book", "pay", "book", "pay", "stock"]
    assert keys(instance, "pay")[-1] == ("compensation", "pay:1:undo")
    assert [a.undo_input for a in instance.steps.filter(path="pay")] == [{}]
    check(instance)


def test_nothing_is_left_of_the_undo_in_steps_that_had_not_begun(driver: Driver) -> None:
    driver.perform = {"last": fail()}
    instance = driver.start(
        flow(f"""
  - {{id: first, activity: core.echo}}
  - {{id: a, activity: core.echo, {UNDO}}}
  - {{id: next, activity: core.echo}}
  - {{id: b, activity: core.echo, {UNDO}}}
  - {{id: c, needs: [b], activity: core.echo, {UNDO}}}
  - {{id: d, needs: [b], activity: core.echo, {UNDO}}}
  - {{id: last, needs: [c, d], activity: core.echo}}
""")
    )
    for _ in ("first", "a"):
        driver.work(driver.claim_next())
    pause(instance)
    rewind(instance, "first")
    driver.drain()
    assert undone(driver) == ["a"]
    resume(instance)
    while results.instance_view(instance.pk)["state"] != "compensating":
        driver.work(driver.claim_next())

    driver.work(driver.claim_next())

    assert sorted(states(instance)[path] for path in "cd") == ["compensated", "compensating"]
    assert states(instance)["b"] == "completed", "it waits for the other one too"
    assert driver.run(instance)["state"] == "compensated"
    assert undone(driver)[3:] == ["b", "a"]
    check(instance)


def test_a_completed_instance_may_be_taken_back_too(driver: Driver) -> None:
    instance = driver.start(ORDER.replace("timeout: 1h", "timeout: 1h\nconcurrency: {limit: 1}"))
    assert driver.run(instance)["state"] == "completed"
    driver.advance(600)

    rewind(instance, "pay")
    driver.drain()

    assert states(instance) == {
        "stock": "completed",
        "pay": "completed",
        "rate": "completed",
        "book": "pending",
        "ship": "pending",
    }
    due = Timer.objects.get(instance=instance, kind="instance").due_at
    assert (due - driver.now).total_seconds() == 3600, "its time begins anew"
    assert Slot.objects.get().instance_id == instance.pk
    resume(instance)
    assert driver.run(instance)["state"] == "completed"
    assert not Slot.objects.exists()


def test_what_a_pause_has_caught_half_way_is_cancelled_and_taken_back(driver: Driver) -> None:
    driver.perform = {"again": fail("LATER")}
    retry = "retry: {max_attempts: 3, initial_interval: 1h}"
    instance = driver.start(
        flow(f"""
  - {{id: first, activity: core.echo, {UNDO}}}
  - {{id: again, needs: [first], activity: core.echo, {retry}}}
  - {{id: nap, needs: [first], wait: {{for: 1d}}}}
  - {{id: hears, needs: [first], receive: {{event: e}}}}
  - id: block
    needs: [first]
    parallel: {{branches: {{one: [{{id: inside, wait: {{for: 1h}}}}], two: [{{id: other, activity: core.echo}}]}}}}
  - {{id: late, needs: [first, nap], join_deadline: 1d, activity: core.echo}}
""")
    )
    driver.drain()
    assert set(states(instance).values()) == {"completed", "retrying", "waiting", "pending"}
    pause(instance)

    assert rewind(instance, "first").state == "paused", "nothing of it has to be undone"

    assert set(states(instance).values()) == {"completed", "pending"}
    assert not Timer.objects.exists()
    assert not Subscription.objects.exists()
    check(instance)
    resume(instance)
    driver.drain()
    assert [a["number"] for a in results.instance_view(instance.pk)["attempts"] if a["step"] == "again"] == [1, 2]
    check(instance)


def test_a_failed_undo_holds_it_up_until_somebody_has_seen_to_it(driver: Driver) -> None:
    driver.perform = {"ship": fail(), "undo_pay": fail("NO_REFUND")}
    instance = driver.start(ORDER)
    driver.run(instance)
    rewind(instance, "stock")
    driver.drain()
    view = results.instance_view(instance.pk)
    assert (view["state"], view["cause"], view["steps"]["stock"]) == ("compensation_failed", "operator", "completed")

    undos.skip(instance_id=instance.pk, step="pay", actor="ada", reason="a cent")
    assert results.instance_view(instance.pk)["state"] == "compensation_failed"
    found = undos.done(instance_id=instance.pk, step="pay", actor="bob", reason="paid back")

    assert found.state == "paused"
    assert states(instance)["pay"] == "pending"
    (event,) = Event.objects.filter(instance=instance, type="instance.rewound")
    assert event.actor == "ada", "who asked for it"
    check(instance)
    driver.perform = {}
    resume(instance)
    assert driver.run(instance)["state"] == "completed"


def test_a_failure_beside_it_that_the_pause_holds_back_follows_with_the_resume(driver: Driver) -> None:
    instance = driver.start(
        flow("""
  - {id: a, needs: [], activity: core.echo}
  - {id: b, needs: [a], activity: core.echo}
  - {id: bad, needs: [], activity: core.echo}
  - {id: c, needs: [b, bad], activity: core.echo}
""")
    )
    driver.perform = {"bad": fail()}
    claims = {claim.path: claim for claim in (driver.claim_next(), driver.claim_next())}
    driver.work(claims["a"])
    driver.work(driver.claim_next())
    pause(instance)
    driver.work(claims["bad"])
    rewind(instance, "a")

    resume(instance)
    view = driver.run(instance)
    assert (view["state"], view["error"]["code"], view["steps"]["bad"]) == ("failed", "BROKEN", "failed")
    driver.perform = {}
    interventions.retry(instance_id=instance.pk, actor="ada")

    view = driver.run(instance)
    assert (view["state"], set(view["steps"].values())) == ("completed", {"completed"})
    check(instance)


def test_terminated_on_the_way_back_it_stays_where_it_was(driver: Driver) -> None:
    driver.perform = {"ship": fail()}
    instance = driver.start(ORDER)
    driver.run(instance)
    rewind(instance, "stock")

    instances.terminate(instance_id=instance.pk, actor="ada")

    assert results.instance_view(instance.pk)["steps"]["book"] == "compensation_failed"
    check(instance)


# ---------------------------------------------------------------- refusals
def test_what_cannot_be_taken_back_is_refused_with_the_reason_and_changes_nothing(driver: Driver) -> None:
    below = flow("  - {id: deep, activity: core.echo}\n  - {id: deeper, activity: core.echo}", name="below")
    publish(below)
    kinds = driver.start(
        flow("""
  - {id: a, activity: core.echo}
  - {id: each, needs: [a], foreach: {items: [1], steps: [{id: one, activity: core.echo}]}}
  - {id: pivot, needs: [a], activity: core.echo, compensate: irreversible}
  - {id: call, needs: [a], call: {workflow: below}}
  - {id: off, needs: [a], wait: {for: 1s}}
  - {id: over, needs: [off, call, pivot, each], return: {output: 1}}
  - {id: side, needs: [], activity: core.echo}
""")
    )
    driver.run(kinds)
    machine = driver.start(
        "workflow: m\nversion: 1.0.0\nkind: state_machine\ninitial: a\nstates: {a: {}, b: {terminal: true}}\n"
        "transitions: [{from: a, to: b, event: go}]"
    )
    pause(machine)

    for act, instance, step, why in (
        (rewind, kinds, "over", "nothing that depends on over has begun"),
        (rerun, kinds, "each", "each has begun iterations, which cannot be taken back"),
        (rewind, kinds, "a", "each has begun iterations|pivot is irreversible"),
        (rerun, kinds, "pivot", "pivot is irreversible and has run; nothing before it can be taken back"),
        (
            rerun,
            kinds,
            "each[0].one",
            r"each\[0\].one stands in each; an instance is taken back to a step of the outer",
        ),
        (rerun, kinds, "side", "the instance ended by over, which would not be taken back"),
        (rerun, child(kinds, "call"), "deep", f"the instance {kinds.pk} called it and goes by its end"),
        (rerun, machine, "machine", "a state machine is not taken back to a step"),
    ):
        with pytest.raises(StateForbids, match=why):
            act(instance, step)
        check(instance)
    with pytest.raises(NotFound) as unknown:
        rerun(kinds, "nobody")
    assert unknown.value.code == "STEP_NOT_FOUND"


def test_of_a_paused_one_what_is_under_way_has_to_end_first(driver: Driver) -> None:
    instance = driver.start(
        flow("""
  - {id: a, needs: [], activity: core.echo}
  - {id: b, activity: core.echo, needs: [a]}
  - {id: nap, needs: [], wait: {for: 1d}}
""")
    )
    with pytest.raises(
        StateForbids, match=r"the instance is running; only a completed, failed or paused one .*: pause it"
    ):
        rerun(instance, "a")
    driver.work(driver.claim_next())
    claim = driver.claim_next()
    pause(instance)

    with pytest.raises(StateForbids, match="b is running; wait for the end of its attempt"):
        rewind(instance, "a")
    steps.succeeded(claim=claim, output=1)
    with pytest.raises(StateForbids, match="nap is waiting and would not be taken back; let it end, or skip it, first"):
        rewind(instance, "a")
    interventions.skip(instance_id=instance.pk, step="nap", actor="ada")
    assert rewind(instance, "a").state == "paused"
    with pytest.raises(StateForbids, match="b has not run; there is nothing to run again"):
        rerun(instance, "b")
    check(instance)


def test_parameters_are_for_an_activity_whose_turn_it_is(driver: Driver) -> None:
    driver.perform = {"b": fail()}
    instance = driver.start(
        flow("""
  - {id: a, activity: core.echo}
  - {id: b, needs: [], activity: core.echo}
  - {id: c, needs: [a], wait: {for: 1s}}
  - {id: d, needs: [b], join_deadline: 1d, activity: core.echo}
""")
    )
    driver.run(instance)

    with pytest.raises(StateForbids, match="c is no activity; only an activity can be given other parameters"):
        rerun(instance, "c", {})
    with pytest.raises(StateForbids, match="b, which d waits for, has to run first"):
        rerun(instance, "d", {})
    for parameters, code in (([1], "INPUT_INVALID"), ({"v": "x" * 2_000_000}, "TOO_LARGE"), ({"v": "\x00"}, None)):
        with pytest.raises(InputInvalid) as refused:
            rerun(instance, "a", parameters)
        assert code in (None, refused.value.code)
    check(instance)


def test_forward_recovery_past_a_pivot_is_stop_and_retry(driver: Driver) -> None:
    driver.perform = {"tell": fail()}
    instance = driver.start(
        flow(
            f"""
  - {{id: hold, activity: core.echo, {UNDO}}}
  - {{id: charge, activity: core.echo, compensate: irreversible}}
  - {{id: tell, activity: core.echo, with: {{v: 1}}, retry: {{max_attempts: 2, initial_interval: 1s}}}}
""",
            head="on_failure: stop",
        )
    )
    assert driver.run(instance)["state"] == "failed"
    assert undone(driver) == [], "nothing before the pivot is undone"
    driver.perform = {}

    interventions.retry(instance_id=instance.pk, actor="ada", reason="mended")

    assert driver.run(instance)["state"] == "completed"
    assert keys(instance, "tell") == [("action", "tell:0")] * 3
    assert keys(instance, "charge") == [("action", "charge:0")]


# ---------------------------------------------------------------- variables and a look ahead
def test_variables_have_other_values_once_it_stands_there_and_undos_read_the_old_ones(driver: Driver) -> None:
    undo = "compensate: {activity: core.echo, with: {was: '${ vars.n }'}}"
    driver.perform = {"undo_pay": lambda claim: seen.append(claim.parameters)}
    seen: list[object] = []
    steps_of = f"  - {{id: stock, activity: core.echo}}\n  - {{id: pay, activity: core.echo, {undo}}}"
    instance = driver.start(flow(steps_of, head="variables: {n: 1}"))
    driver.run(instance)

    rewinds.rewind(instance_id=instance.pk, step="stock", actor="ada", variables={"n": 2}, reason="wrong price")
    driver.drain()

    found = Instance.objects.get(pk=instance.pk)
    assert (found.state, found.variables, seen) == ("paused", {"n": 2}, [{"was": 1}])
    assert AuditEntry.objects.get(action="instance.rewound").data["variables"] == ["n"]
    check(instance)


def test_what_a_rewind_would_do_is_told_and_nothing_happens(driver: Driver) -> None:
    maybe = "compensate: {activity: core.echo, when: 'vars.n > 1'}"
    insure = f"  - {{id: insure, needs: [pay], activity: core.echo, {maybe}}}\n"
    instance = driver.start(ORDER.replace("  - {id: ship,", f"{insure}  - {{id: ship,"))
    driver.run(instance)
    before = results.instance_view(instance.pk)

    found = rewinds.foresee(instance_id=instance.pk, step="stock", including=False)
    with_it = rewinds.foresee(instance_id=instance.pk, step="stock", including=True)

    assert found.undone == (("book",), ("pay",))
    assert found.unneeded == ("insure",)
    assert set(found.again) == {"pay", "rate", "book", "insure", "ship"}
    assert with_it.undone == (("book",), ("pay",), ("stock",))
    assert results.instance_view(instance.pk) == before
    assert not AuditEntry.objects.filter(action="instance.rewound").exists()
    with pytest.raises(InputInvalid, match="no variable is called m"):
        rewinds.foresee(instance_id=instance.pk, step="stock", including=False, variables={"m": 1})
    with pytest.raises(StateForbids, match="nothing that depends on ship has begun"):
        rewinds.foresee(instance_id=instance.pk, step="ship", including=False)


def test_a_called_workflow_that_would_be_undone_is_foreseen(driver: Driver) -> None:
    publish(PACK)
    instance = driver.start(
        flow("  - {id: first, activity: core.echo}\n  - {id: call, call: {workflow: pack, input: {sku: tea}}}")
    )
    driver.run(instance)

    found = rewinds.foresee(instance_id=instance.pk, step="first", including=False)

    assert (found.undone, found.again) == ((("call",),), ("call",))
