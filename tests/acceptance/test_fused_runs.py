"""A worker that runs many steps of one message still listens: to a cancel, to time, and to others in its queue."""

from __future__ import annotations

from typing import Any

from tests.faults import invariants
from tests.faults.installations import unaided
from tests.services.documents import block, effect, perform, workflow
from tests.services.processes import PATIENCE, eventually

LONG = 300
"""Steps of a run that would take a minute, were it not stopped: time for a slow machine to stop it."""


def naps(number: int, seconds: float = 0.2, **more: Any) -> list[dict[str, Any]]:
    return [perform(f"nap_{index}", "core.sleep", parameters={"seconds": seconds}, **more) for index in range(number)]


def started_after(installation, instance: str, kind: str) -> list[str]:
    """The steps whose action began after an event of a kind."""
    events = installation.history(instance)
    (at,) = [event["sequence"] for event in events if event["type"] == kind]
    return [
        event["step"]
        for event in events[at:]
        if event["type"] in ("step.scheduled", "step.started") and event["data"].get("role", "action") == "action"
    ]


def completed(installation, instance: str) -> int:
    return sum(state == "completed" for state in installation.show(instance)["steps"].values())


def test_a_cancel_stops_a_fused_run_after_the_step_in_hand_and_undoes_what_was_done(installation):
    installation.publish(workflow("napping", effect("before"), *naps(LONG)))
    instance = installation.begin("napping")
    eventually(lambda: completed(installation, instance) > 3, PATIENCE, "the run is under way")

    answer = installation.command("workflow", "cancel", instance)
    view = installation.ended(instance)

    assert answer.code == 0, answer
    assert (view["state"], view["cause"]) == ("compensated", "cancelled")
    assert started_after(installation, instance, "instance.stopping") == []
    assert [call["step"] for call in installation.calls("undo", instance=instance)] == ["before"]
    assert max(installation.attempts(instance).values()) == 2
    invariants.check(installation, [instance])


def test_a_cancel_during_the_last_step_of_a_fused_run_is_not_overtaken_by_its_success(installation):
    last = perform("last", "test.block", parameters={"name": "last", "listens": False})
    installation.publish(workflow("last-block", effect("before"), last))
    instance = installation.begin("last-block")
    installation.called("block", instance=instance)

    answer = installation.command("workflow", "cancel", instance)
    installation.release("last")
    view = installation.ended(instance)

    assert answer.code == 0, answer
    assert len(installation.calls("released", instance=instance)) == 1
    assert (view["state"], view["cause"]) == ("compensated", "cancelled")
    assert view["steps"] == {"before": "compensated", "last": "completed"}
    invariants.check(installation, [instance])


def test_the_time_out_of_an_instance_stops_a_fused_run_after_the_step_in_hand(installation):
    view = installation.run(workflow("napping-too-long", effect("before"), *naps(LONG), timeout="8s"))

    assert (view["state"], view["cause"]) == ("compensated", "timed_out")
    assert view["steps"]["nap_0"] == "completed"
    assert started_after(installation, view["id"], "instance.stopping") == []
    invariants.check(installation, [view["id"]])


def test_a_step_that_times_out_inside_a_fused_run_is_interrupted_and_the_run_goes_on(installation):
    slow = perform("slow", "test.sleep", parameters={"seconds": 600}, timeout="1s", on_error="continue")

    view = installation.run(workflow("slow-inside", effect("before"), slow, effect("after")))

    assert view["state"] == "completed"
    assert view["steps"] == {"before": "completed", "slow": "timed_out", "after": "completed"}
    # The process learns that its attempt is over when it renews the lease, about a second later.
    slept = installation.calls("sleep", instance=view["id"])
    assert [call["pid"] for call in slept] == [installation.called("interrupted", instance=view["id"])["pid"]]
    invariants.check(installation, [view["id"]])


# ------------------------------------------------------------------ others
def test_a_long_run_lets_others_of_its_queue_pass(apart):
    chain = [{"id": f"s{number}", "activity": "core.echo"} for number in range(500)]
    apart.publish(workflow("long-chain", *chain))
    apart.publish(workflow("single", effect("only")))
    # Both wait in the queue, the long one first, when the only process begins.
    long, single = apart.begin("long-chain"), apart.begin("single")
    with unaided(apart):
        # Little enough for the quickest machine, which runs some steps in it and not all of them.
        apart.worker(concurrency=1, ORCHESTRATOR_TEST_BUDGET="0.02")
        apart.ended(single)
        apart.ended(long)

    (began,) = [event["at"] for event in apart.history(single) if event["type"] == "step.started"]
    starts = [event["at"] for event in apart.history(long) if event["type"] == "step.started"]
    assert len(starts) == 500
    assert 0 < sum(at < began for at in starts) < 500
    invariants.check(apart, [long, single])


def test_a_slow_step_of_a_chunk_does_not_hold_up_those_that_came_along(installation):
    # Three in a message; s1 and s2 come with the slow one, which ends when all others have.
    others = [effect(f"s{number}", needs=[]) for number in range(1, 24)]
    installation.publish(workflow("slow-chunk", block("slow", "slow-chunk", needs=[]), *others))
    with unaided(installation):
        instance = installation.begin("slow-chunk")
        installation.called("effect", count=len(others), instance=instance)
        installation.release("slow-chunk")
        view = installation.ended(instance)

    assert view["state"] == "completed"
    invariants.check(installation, [instance])


def test_a_chunk_whose_time_is_over_is_sent_on_its_way_and_nothing_of_it_runs_twice(installation):
    installation.publish(workflow("napping-chunks", *naps(24, 0.06, needs=[])))
    with unaided(installation):
        instance = installation.begin("napping-chunks")
        view = installation.ended(instance)

    assert view["state"] == "completed"
    assert installation.attempts(instance) == {f"nap_{number}": 1 for number in range(24)}
    invariants.check(installation, [instance])
