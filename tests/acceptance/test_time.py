"""Waiting costs no worker, a retry backs off, a time-out ends what runs too long, whether it listens or not."""

from itertools import pairwise

from tests.faults import invariants
from tests.services.documents import effect, perform, workflow
from tests.services.processes import PATIENCE, eventually


def test_a_failing_step_is_tried_again_after_growing_pauses(installation):
    retry = {"max_attempts": 4, "initial_interval": "400ms", "multiplier": 2, "jitter": 0}
    flaky = perform("flaky", "test.fail", parameters={"until_attempt": 3}, retry=retry)

    view = installation.run(workflow("flaky", flaky, output={"attempts": "${ steps.flaky.attempts }"}))

    assert (view["state"], view["output"]) == ("completed", {"attempts": 3})
    times = [call["at"] for call in installation.calls("fail", instance=view["id"])]
    first, second = (later - earlier for earlier, later in pairwise(times))
    assert first >= 0.4
    assert second >= 0.8
    invariants.check(installation, [view["id"]])


def test_a_step_that_fails_in_every_attempt_fails_with_the_exception_as_code(installation):
    retry = {"max_attempts": 2, "initial_interval": "100ms"}

    view = installation.run(workflow("hopeless", perform("hopeless", "test.fail", retry=retry)))

    assert view["state"] == "failed"
    assert view["error"]["code"] == "RuntimeError"
    assert installation.attempts(view["id"]) == {"hopeless": 2}
    invariants.check(installation, [view["id"]])


def test_a_time_out_interrupts_a_blocking_call_and_the_worker_process_lives_on(installation):
    slow = perform("slow", "test.sleep", parameters={"seconds": 600}, timeout="2s")

    view = installation.run(workflow("slow", slow))

    assert view["state"] == "failed"
    assert view["steps"] == {"slow": "timed_out"}
    # The process learns that its attempt is over when it renews the lease, about a second later.
    eventually(lambda: len(installation.calls(instance=view["id"])) == 2, PATIENCE, "the call is interrupted")
    start, interrupt = installation.calls(instance=view["id"])
    assert interrupt["call"] == "interrupted"
    assert interrupt["at"] - start["at"] < PATIENCE
    assert start["pid"] in installation.workers()[0].children
    invariants.check(installation, [view["id"]])


def test_a_timed_out_step_may_have_had_its_effect_and_is_undone(installation):
    slow = effect("slow", activity="test.sleep", timeout="2s")
    slow["with"] = {"seconds": 600}
    slow["compensate"] = {"activity": "test.undo", "with": {"value": "${ output }"}}

    view = installation.run(workflow("slow-saga", effect("before"), slow))

    assert (view["state"], view["cause"]) == ("compensated", "failure")
    undos = installation.calls("undo", instance=view["id"])
    assert [(call["step"], call["value"]) for call in undos] == [("slow", None), ("before", "before")]
    invariants.check(installation, [view["id"]])


def test_a_step_that_ignores_the_interrupt_loses_its_process_and_is_tried_again(installation):
    stubborn = perform(
        "stubborn",
        "test.stubborn",
        parameters={"name": "stubborn", "seconds": 600},
        timeout="2s",
        retry={"max_attempts": 2, "initial_interval": "100ms"},
    )

    view = installation.run(workflow("stubborn", stubborn, effect("after")))

    first, second = installation.calls("stubborn", instance=view["id"])
    assert view["state"] == "completed"
    assert second["attempt"] == 2
    ignored = installation.called("ignored", instance=view["id"])
    assert ignored["pid"] == first["pid"]
    eventually(
        lambda: first["pid"] not in installation.workers()[0].children and len(installation.workers()[0].children) == 2,
        PATIENCE,
        "the process that ignored the interrupt is replaced",
    )
    assert not installation.calls("outlived", instance=view["id"])
    invariants.check(installation, [view["id"]])


def test_a_wait_is_a_row_that_wakes_the_instance_in_time(installation):
    document = workflow("patient", effect("before"), {"id": "pause", "wait": {"for": "1s"}}, effect("after"))

    view = installation.run(document)

    before, after = installation.calls("effect", instance=view["id"])
    assert view["state"] == "completed"
    assert 1 <= after["at"] - before["at"] < PATIENCE
    invariants.check(installation, [view["id"]])


def test_an_instance_that_runs_too_long_is_undone_with_its_cause(installation):
    document = workflow(
        "overdue", effect("before"), {"id": "pause", "wait": {"for": "1h"}}, effect("never"), timeout="8s"
    )

    view = installation.run(document)

    assert (view["state"], view["cause"]) == ("compensated", "timed_out")
    assert view["error"]["code"] == "TIMEOUT"
    assert view["steps"]["pause"] == "cancelled"
    invariants.check(installation, [view["id"]])


def test_a_step_for_more_than_a_minute_runs_on_the_queue_for_long_work(installation):
    view = installation.run(workflow("long-work", effect("long", timeout="5m")))

    assert view["state"] == "completed"
    invariants.check(installation, [view["id"]])


def test_what_waits_holds_no_worker_and_no_message(installation):
    later = {"max_attempts": 2, "initial_interval": "1h", "max_interval": "1h"}
    installation.publish(workflow("asleep", {"id": "pause", "wait": {"for": "1h"}}))
    installation.publish(workflow("backing-off", perform("flaky", "test.fail", retry=later)))
    waiting = [installation.begin(name) for name in ("asleep", "backing-off") for _ in range(5)]
    for instance in waiting[5:]:
        installation.called("fail", instance=instance)

    view = installation.run(workflow("awake", effect("awake")))

    assert view["state"] == "completed"
    eventually(lambda: installation.broker.waiting() == 0, PATIENCE, "no message in the broker")
    for instance in waiting:
        installation.command("workflow", "terminate", instance)
    invariants.check(installation, [view["id"], *waiting])


def test_people_see_how_far_a_running_step_is(installation):
    document = workflow("reporting", perform("long", "test.block", parameters={"name": "report"}))
    installation.publish(document)
    instance = installation.begin("reporting")

    def progress():
        attempts = installation.show(instance)["attempts"]
        return attempts[0]["progress"] if attempts else None

    first = eventually(progress, PATIENCE, "its progress is shown")
    eventually(lambda: progress()["done"] > first["done"], PATIENCE, "it goes on")
    installation.release("report")

    assert first["message"] == "waiting for report"
    assert installation.ended(instance)["state"] == "completed"
