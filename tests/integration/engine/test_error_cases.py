"""Cases of `on_error`: the first that fits a failure says what it means, by code, condition and number of failures."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from workflows_app.models import Event, Instance
from workflows_app.services import verification
from workflows_app.services.steps import Claim

CASES = """
  - id: pay
    activity: core.echo
    on_error:
      - codes: [GONE, MOVED]
        then: {fallback: {activity: core.log, with: {message: "${ error.code }"}}}
      - when: error.details.status == 503
        then: {fallback: {activity: core.echo, with: {later: true}}}
      - {codes: [FREE], then: {output: nothing}}
      - {codes: [NEVER_MIND], then: continue}
      - {codes: [STOP], then: {goto: tell}}
  - {id: pack, activity: core.echo}
  - {id: tell, activity: core.echo}
"""
TRIED = """
  - id: call
    activity: core.echo
    retry: {max_attempts: 3, backoff: fixed, initial_interval: %s, max_interval: 1h}
    on_error:
      - {attempts: {at_least: 3, within: 10m}, then: {output: busy}}
      - {then: {output: slow}}
"""
BLOCK = """
  - id: block
    parallel:
      branches:
        one: [{id: risky, activity: core.echo}]
        two: [{id: beside, wait: {for: 1d}}]
    on_error:
      - {codes: [EXPECTED], then: {output: caught}}
  - {id: after, activity: core.echo}
"""


def told(instance: Instance, key: str) -> list[Any]:
    """What the events of an instance say under a key, in their order."""
    events = Event.objects.filter(instance=instance, data__has_key=key).order_by("sequence")
    return [event.data[key] for event in events]


@pytest.mark.parametrize(
    ("code", "status", "case", "state", "states"),
    [
        ("NEVER_MIND", 0, 3, "completed", ("failed", "completed", "completed")),
        ("STOP", 0, 4, "completed", ("failed", "skipped", "completed")),
        ("FREE", 0, 2, "completed", ("completed", "completed", "completed")),
        ("NONE_OF_THEM", 0, None, "failed", ("failed", "cancelled", "cancelled")),
    ],
)
def test_the_first_case_that_fits_says_what_follows(
    driver: Driver, code: str, status: int, case: int | None, state: str, states: tuple[str, ...]
) -> None:
    driver.perform = {"pay": fail(code, status=status)}
    instance = driver.start(flow(CASES))

    view = driver.run(instance)

    assert view["state"] == state
    assert tuple(view["steps"][name] for name in ("pay", "pack", "tell")) == states
    assert told(instance, "error_case") == ([] if case is None else [case])
    assert verification.check_replay(instance.pk) == []


@pytest.mark.parametrize(
    ("code", "status", "activity", "parameters"),
    [("MOVED", 0, "core.log", {"message": "MOVED"}), ("HTTP_ERROR", 503, "core.echo", {"later": True})],
)
def test_each_case_has_a_fallback_of_its_own(
    driver: Driver, code: str, status: int, activity: str, parameters: dict[str, Any]
) -> None:
    claims: list[Claim] = []

    def stand_in(claim: Claim) -> Any:
        claims.append(claim)
        return "done"

    driver.perform = {"pay": fail(code, status=status), "instead_pay": stand_in}
    instance = driver.start(flow(CASES))

    view = driver.run(instance)

    assert (view["state"], view["steps"]["pay"]) == ("completed", "completed")
    assert [(claim.activity.partition("@")[0], claim.parameters) for claim in claims] == [(activity, parameters)]
    assert verification.check_replay(instance.pk) == []


@pytest.mark.parametrize(("pause", "output"), [("1m", "busy"), ("6m", "slow")])
def test_failures_count_within_the_time_that_the_case_names(driver: Driver, pause: str, output: str) -> None:
    driver.perform = {"call": fail()}

    view = driver.run(driver.start(flow(TRIED % pause, head="output: '${ steps.call.output }'")))

    assert (view["state"], view["output"], len(view["attempts"])) == ("completed", output, 3)


def test_a_condition_that_breaks_does_not_fit_and_is_recorded(driver: Driver) -> None:
    driver.perform = {"pay": fail("FREE")}  # without a status
    instance = driver.start(flow(CASES))

    assert driver.run(instance)["state"] == "completed"

    (broken,) = told(instance, "error_when")
    assert (broken["case"], broken["code"]) == (1, "EXPRESSION_ERROR")


@pytest.mark.parametrize(
    ("code", "state", "block"), [("EXPECTED", "completed", "completed"), ("X", "failed", "failed")]
)
def test_a_block_is_stopped_and_ends_as_its_cases_say(driver: Driver, code: str, state: str, block: str) -> None:
    driver.perform = {"risky": fail(code)}
    instance = driver.start(flow(BLOCK))

    view = driver.run(instance)

    assert (view["state"], view["steps"]["block"], view["steps"]["beside"]) == (state, block, "cancelled")
    assert verification.check_replay(instance.pk) == []
