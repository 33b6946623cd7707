"""What a failure, a cancel, a time-out lead to: retries, tolerance, compensation, truthful endings."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, fail_times, flow
from workflows_app.engine.errors import StateForbids
from workflows_app.selectors import results
from workflows_app.services import instances


def test_an_early_return_cancels_the_rest_and_completes(driver: Driver) -> None:
    document = flow(
        """
  - {id: other, wait: {for: 1h}, needs: []}
  - {id: enough, return: {output: {early: true}}, needs: []}
  - {id: never, activity: core.echo, needs: [enough]}
"""
    )

    view = driver.run(driver.start(document))

    assert view["state"] == "completed"
    assert view["output"] == {"early": True}
    assert view["steps"] == {"other": "cancelled", "enough": "completed", "never": "cancelled"}


def test_a_fail_step_ends_the_instance_with_its_code(driver: Driver) -> None:
    view = driver.run(
        driver.start(flow("  - {id: no, fail: {code: NOT_TODAY, message: 'come back ${ input.n }'}}"), {"n": 2})
    )

    assert (view["state"], view["cause"]) == ("failed", "failure")
    assert (view["error"]["code"], view["error"]["message"]) == ("NOT_TODAY", "come back 2")


def test_a_failed_attempt_is_retried_with_back_off_until_it_works(driver: Driver) -> None:
    driver.perform = {"a": fail_times(2)}
    document = flow(
        "  - {id: a, activity: core.echo, retry: {max_attempts: 3, initial_interval: 1s, multiplier: 4, jitter: 0}}"
    )
    began = driver.now

    view = driver.run(driver.start(document))

    assert view["state"] == "completed"
    assert [a["state"] for a in view["attempts"]] == ["failed", "failed", "succeeded"]
    assert driver.now - began == timedelta(seconds=5)


def test_retries_stop_at_a_non_retryable_code(driver: Driver) -> None:
    driver.perform = {"a": fail("BAD_CARD")}
    document = flow("  - {id: a, activity: core.echo, retry: {max_attempts: 5, non_retryable: [BAD_CARD]}}")

    view = driver.run(driver.start(document))

    assert len(view["attempts"]) == 1
    assert view["error"]["code"] == "BAD_CARD"


def test_retries_follow_the_condition_on_the_error(driver: Driver) -> None:
    driver.perform = {"a": fail("HTTP_ERROR", status=503), "b": fail("HTTP_ERROR", status=404)}
    retry = 'retry: {max_attempts: 3, jitter: 0, when: "error.details.status >= 500"}, on_error: continue'
    document = flow(f"  - {{id: a, activity: core.echo, {retry}}}\n  - {{id: b, activity: core.echo, {retry}}}")

    view = driver.run(driver.start(document))

    assert [a["step"] for a in view["attempts"]] == ["a", "a", "a", "b"]


def test_an_error_may_be_tolerated_or_replaced_by_an_output(driver: Driver) -> None:
    driver.perform = {"a": fail(), "b": fail()}
    document = flow(
        """
  - {id: a, activity: core.echo, on_error: continue}
  - {id: b, activity: core.echo, on_error: {output: {n: 7}}}
  - {id: c, activity: core.echo, with: {a: "${ steps.a.state }", n: "${ steps.b.output.n }"}}
""",
        head='output: "${ steps.c.output }"',
    )

    view = driver.run(driver.start(document))

    assert view["state"] == "completed"
    assert view["output"] == {"a": "failed", "n": 7}


def test_a_block_catches_the_failure_of_an_inner_step(driver: Driver) -> None:
    driver.perform = {"bad": fail()}
    document = flow(
        """
  - id: guarded
    on_error: continue
    parallel:
      branches:
        one: [{id: bad, activity: core.echo}, {id: next, activity: core.echo}]
        two: [{id: nap, wait: {for: 1d}}]
  - {id: after, activity: core.echo}
"""
    )

    view = driver.run(driver.start(document))

    assert view["state"] == "completed"
    assert view["steps"] == {
        "guarded": "failed",
        "bad": "failed",
        "next": "cancelled",
        "nap": "cancelled",
        "after": "completed",
    }


SAGA = flow(
    """
  - id: pay
    activity: core.echo
    with: {amount: 5}
    compensate: {activity: core.echo, with: {of: "${ output.amount }", was: "${ with.amount }"}}
  - {id: note, activity: core.echo}
  - {id: ship, activity: core.echo, compensate: {activity: core.echo}}
  - {id: confirm, activity: core.echo}
"""
)


def test_a_failure_undoes_completed_steps_in_reverse(driver: Driver) -> None:
    undone: list[Any] = []
    driver.perform = {"confirm": fail(), "undo_pay": lambda claim: undone.append(claim.parameters)}

    view = driver.run(driver.start(SAGA))

    assert (view["state"], view["cause"]) == ("compensated", "failure")
    assert [c for c in driver.calls if c[1] == "compensation"] == [("ship", "compensation"), ("pay", "compensation")]
    assert undone == [{"of": 5, "was": 5}]
    assert view["steps"] == {"pay": "compensated", "note": "completed", "ship": "compensated", "confirm": "failed"}


def test_an_undo_that_fails_is_told_and_the_others_go_on(driver: Driver) -> None:
    driver.perform = {"confirm": fail(), "undo_ship": fail("NO_WAY")}

    view = driver.run(driver.start(SAGA))

    assert view["state"] == "compensation_failed"
    assert view["steps"]["ship"] == "compensation_failed"
    assert view["steps"]["pay"] == "compensated"


def test_a_step_with_an_unknown_effect_is_undone_with_a_null_output(driver: Driver) -> None:
    seen: list[Any] = []
    driver.perform = {"pay": fail("LATE", effect="unknown"), "undo_pay": lambda claim: seen.append(claim)}
    document = flow('  - {id: pay, activity: core.echo, compensate: {activity: core.echo, with: {id: "${ output }"}}}')

    view = driver.run(driver.start(document))

    assert view["state"] == "compensated"
    assert seen[0].parameters == {"id": None}
    assert seen[0].idempotency_key == f"{view['id']}:pay:0:undo"


def test_on_failure_stop_leaves_completed_steps_alone(driver: Driver) -> None:
    driver.perform = {"confirm": fail()}

    view = driver.run(driver.start(SAGA.replace("steps:", "on_failure: stop\nsteps:", 1)))

    assert (view["state"], view["cause"]) == ("failed", "failure")


def test_cancel_undoes_what_completed_and_awaits_what_runs(driver: Driver) -> None:
    instance = driver.start(SAGA)
    driver.work(driver.claim_next())
    running = driver.claim_next()

    instances.cancel(instance_id=instance.pk, actor="ada", reason="changed my mind")
    while_running = results.instance_view(instance.pk)
    driver.work(running)
    view = driver.run(instance)

    assert while_running["state"] == "running"
    assert while_running["cause"] == "cancelled"
    assert (view["state"], view["cause"]) == ("compensated", "cancelled")
    assert view["steps"]["ship"] == "cancelled"


def test_cancel_without_compensation_just_ends(driver: Driver) -> None:
    instance = driver.start(SAGA)
    driver.work(driver.claim_next())

    ended = instances.cancel(instance_id=instance.pk, actor="ada", compensate=False)

    assert ended.state == "cancelled"


def test_terminate_ends_at_once_and_fences_the_running_attempt(driver: Driver) -> None:
    instance = driver.start(SAGA)
    claim = driver.claim_next()

    ended = instances.terminate(instance_id=instance.pk, actor="ada", reason="fire")
    driver.work(claim)

    assert (ended.state, ended.cause) == ("terminated", "operator")
    assert results.instance_view(instance.pk)["steps"]["pay"] == "cancelled"


def test_an_ended_instance_cannot_be_cancelled(driver: Driver) -> None:
    instance = driver.start(flow("  - {id: a, activity: core.echo}"))
    driver.drain()

    with pytest.raises(StateForbids, match="completed"):
        instances.cancel(instance_id=instance.pk, actor="ada")


def test_the_time_out_of_an_instance_undoes_and_says_so(driver: Driver) -> None:
    document = flow(
        "  - {id: a, activity: core.echo, compensate: {activity: core.echo}}\n  - {id: nap, wait: {for: 9d}}",
        head="timeout: 1h",
    )

    view = driver.run(driver.start(document))

    assert (view["state"], view["cause"]) == ("compensated", "timed_out")
    assert view["error"]["code"] == "TIMEOUT"


def test_a_deadline_covers_all_attempts_and_their_back_off(driver: Driver) -> None:
    driver.perform = {"a": fail()}
    document = flow(
        "  - {id: a, activity: core.echo, deadline: 10s,"
        " retry: {max_attempts: 99, backoff: fixed, initial_interval: 4s, jitter: 0}}"
    )

    view = driver.run(driver.start(document))

    assert view["steps"]["a"] == "timed_out"
    assert view["error"]["code"] == "DEADLINE_EXCEEDED"
    assert len(view["attempts"]) == 3


def test_a_broken_expression_fails_its_step_by_name(driver: Driver) -> None:
    document = flow('  - {id: a, activity: core.echo, with: {x: "${ input.missing.deep }"}}')

    view = driver.run(driver.start(document, {}))

    assert view["state"] == "failed"
    assert view["error"]["code"] == "EXPRESSION_ERROR"
    assert view["steps"] == {"a": "failed"}


def test_a_result_that_is_too_large_fails_its_step_by_name(driver: Driver, settings: Any) -> None:
    settings.ORCHESTRATOR_MAX_OUTPUT_BYTES = 1000
    driver.perform = {"a": lambda claim: "x" * 2000}

    view = driver.run(driver.start(flow("  - {id: a, activity: core.echo}")))

    assert view["error"]["code"] == "TOO_LARGE"


UNDOABLE = flow("  - {id: pay, activity: core.echo, compensate: {activity: core.echo}}")


def test_work_whose_result_cannot_be_kept_is_undone(driver: Driver, settings: Any) -> None:
    settings.ORCHESTRATOR_MAX_OUTPUT_BYTES = 1000
    driver.perform = {"pay": lambda claim: "x" * 2000}

    view = driver.run(driver.start(UNDOABLE))

    assert (view["state"], view["error"]["code"]) == ("compensated", "TOO_LARGE")
    assert view["steps"]["pay"] == "compensated"


def test_an_error_that_cannot_be_kept_still_says_that_the_effect_is_unknown(driver: Driver) -> None:
    driver.perform = {"pay": fail("LATE", effect="unknown", body="\x00")}

    view = driver.run(driver.start(UNDOABLE))

    assert (view["state"], view["error"]["code"]) == ("compensated", "LATE")
