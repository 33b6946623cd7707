"""An activity that stands in for one that failed: it completes the step, which keeps the error."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.driver import Driver, Perform
from tests.integration.engine.outcomes import fail, flow
from workflows_app.models import Attempt, Event, Instance, Timer
from workflows_app.services import definitions, steps, sweep, verification
from workflows_app.services.steps import Claim

PRICE = """
  - id: price
    activity: core.echo
    with: {from: shop}
    %s
    on_error: {fallback: {activity: core.log, with: {message: "${ error.code } of ${ steps.first.output.who }"}}}
    compensate: {activity: core.echo, with: {undone: "${ output }", asked: "${ with }"}}
"""
FIRST = "  - {id: first, activity: core.echo, with: {who: ada}}\n"
AFTER = """
  - {id: after, activity: core.echo, with: {price: "${ steps.price.output }", why: "${ steps.price.error.code }"}}
"""


def stand_in(claim: Claim) -> Any:
    return {"stood in": claim.parameters}


CLOSED = {"price": fail("SHOP_CLOSED"), "instead_price": stand_in}


def test_a_fallback_completes_the_step_which_keeps_the_error(driver: Driver) -> None:
    driver.perform = CLOSED
    instance = driver.start(flow(FIRST + PRICE % "" + AFTER, head="output: '${ steps.after.output }'"))

    view = driver.run(instance)

    assert view["state"] == "completed"
    assert view["output"] == {"price": {"stood in": {"message": "SHOP_CLOSED of ada"}}, "why": "SHOP_CLOSED"}
    attempts = Attempt.objects.filter(instance=instance, path="price").order_by("number")
    assert list(attempts.values_list("number", "role", "state")) == [
        (1, "action", "failed"),
        (2, "fallback", "succeeded"),
    ]
    assert verification.check_replay(instance.pk) == []
    assert verification.verify_history(instance.pk) is None


def test_it_comes_after_the_last_retry_and_has_a_key_of_its_own(driver: Driver) -> None:
    claims: list[Claim] = []

    def noted(perform: Perform) -> Perform:
        def act(claim: Claim) -> Any:
            claims.append(claim)
            return perform(claim)

        return act

    driver.perform = {name: noted(perform) for name, perform in CLOSED.items()}
    driver.run(driver.start(flow(FIRST + PRICE % "retry: {max_attempts: 3}")))

    assert [claim.role.value for claim in claims] == ["action", "action", "action", "fallback"]
    own, instead = claims[0].idempotency_key, claims[-1].idempotency_key
    assert {claim.idempotency_key for claim in claims[:3]} == {own}
    assert instead == f"{own}:fallback"
    assert claims[-1].activity.startswith("core.log@"), "its version is kept with the definition's"


def test_where_the_fallback_fails_too_the_step_fails_with_its_error(driver: Driver) -> None:
    driver.perform = {"price": fail("SHOP_CLOSED"), "instead_price": fail("BOTH_CLOSED")}
    instance = driver.start(flow(FIRST + PRICE % "retry: {max_attempts: 2}"))

    view = driver.run(instance)

    assert (view["state"], view["error"]["code"]) == ("failed", "BOTH_CLOSED")
    assert Attempt.objects.filter(instance=instance, role="fallback").count() == 1
    assert verification.check_replay(instance.pk) == []


def test_the_compensation_undoes_what_the_fallback_did(driver: Driver) -> None:
    seen: list[Any] = []
    driver.perform = {**CLOSED, "last": fail(), "undo_price": lambda claim: seen.append(claim.parameters)}
    instance = driver.start(flow(FIRST + PRICE % "" + "  - {id: last, activity: core.echo}"))

    view = driver.run(instance)

    assert view["state"] == "compensated"
    undone = {"stood in": {"message": "SHOP_CLOSED of ada"}}
    assert seen == [{"undone": undone, "asked": {"from": "shop"}}]
    assert verification.check_replay(instance.pk) == []


def test_a_fallback_whose_worker_dies_is_sent_again(driver: Driver) -> None:
    driver.perform = CLOSED
    instance = driver.start(flow(FIRST + PRICE % ""))
    driver.work(driver.claim_next(instance.pk))
    driver.work(driver.claim_next(instance.pk))
    lost = driver.claim_next(instance.pk)
    assert lost.role == "fallback"

    driver.advance(30)
    sweep.end_overdue_attempts()
    assert steps.succeeded(claim=lost, output={"too": "late"}) is False
    view = driver.run(instance)

    assert view["state"] == "completed"
    attempts = Attempt.objects.filter(instance=instance, path="price").order_by("number")
    assert list(attempts.values_list("role", "state"))[1:] == [("fallback", "lost"), ("fallback", "succeeded")]
    assert verification.check_replay(instance.pk) == []


def test_the_deadline_of_the_step_covers_its_fallback(driver: Driver) -> None:
    driver.perform = CLOSED
    instance = driver.start(flow(FIRST + PRICE % "deadline: 10s"))
    driver.work(driver.claim_next(instance.pk))
    driver.work(driver.claim_next(instance.pk))
    assert driver.claim_next(instance.pk).role == "fallback"

    driver.advance(11)
    sweep.fire_timers()

    view = driver.run(instance)
    assert view["error"]["code"] == "DEADLINE_EXCEEDED"
    assert Timer.objects.count() == 0
    assert verification.check_replay(instance.pk) == []


def test_a_fallback_begins_even_where_the_step_could_not(driver: Driver) -> None:
    document = flow(
        """
  - id: a
    activity: core.echo
    with: {half: "${ 1 / input.none }"}
    on_error: {fallback: {activity: core.echo, with: {instead: "${ error.code }"}}}
""",
        head="output: '${ steps.a.output.instead }'",
    )

    view = driver.run(driver.start(document, {"none": 0}))

    assert (view["state"], view["output"]) == ("completed", "EXPRESSION_ERROR")


def test_a_fallback_that_cannot_be_written_fails_the_step(driver: Driver) -> None:
    driver.perform = {"a": fail()}
    document = flow(
        """
  - {id: a, activity: core.echo, on_error: {fallback: {activity: core.echo, with: {x: "${ error.details.none.x }"}}}}
"""
    )

    view = driver.run(driver.start(document))

    assert (view["state"], view["error"]["code"]) == ("failed", "EXPRESSION_ERROR")


@pytest.mark.parametrize(
    ("fallback", "code", "path"),
    [
        ("{activity: core.ecko}", "UNKNOWN_TASK_TYPE", "steps[0].on_error.fallback.activity"),
        (
            "{activity: core.sleep, with: {seconds: soon}}",
            "INVALID_PARAMETER",
            "steps[0].on_error.fallback.with.seconds",
        ),
        ("{activity: core.echo, with: {x: '${ output }'}}", "UNKNOWN_NAME", "steps[0].on_error.fallback.with.x"),
    ],
)
def test_what_is_wrong_with_a_fallback_is_found_before_it_runs(db: None, fallback: str, code: str, path: str) -> None:
    found = definitions.validate(text=flow(f"  - {{id: a, activity: core.echo, on_error: {{fallback: {fallback}}}}}"))

    assert [(problem.code, problem.path) for problem in found] == [(code, path)]


def test_the_history_says_what_the_fallback_was_for(driver: Driver) -> None:
    driver.perform = CLOSED
    instance = driver.start(flow(FIRST + PRICE % ""))
    driver.run(instance)

    event = Event.objects.get(instance=instance, type="step.falling_back")

    assert (event.step, event.data["error"]["code"]) == ("price", "SHOP_CLOSED")
    assert event.data["input"] == {"message": "SHOP_CLOSED of ada"}
    assert Instance.objects.get(pk=instance.pk).state == "completed"
