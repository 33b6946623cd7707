"""What a worker claims along with a success: steps that came with the message, and what the engine lets it have."""

from __future__ import annotations

import pytest

from tests.integration.driver import Driver
from tests.integration.hot_path.deciders import decide
from tests.integration.hot_path.situations import ROW, claim, events, start
from workflows_app.services import steps, sweep
from workflows_app.services.claims import Onward

WIDE = "steps:\n" + "\n".join(f"  - {{id: s{n}, activity: core.echo, needs: [], with: {{n: {n}}}}}" for n in range(6))
ASIDE = "steps: [{id: x, activity: core.echo, needs: []}, {id: a, activity: core.echo, needs: []}, {id: b, %s}]"


def test_a_step_that_came_along_is_claimed_with_the_success(driver: Driver) -> None:
    instance = start(driver, WIDE)

    pair = decide(claim(instance, "s0"), 1, mates=[("s1", 1), ("s2", 1)])

    assert events(pair) == ["step.completed s0", "step.started s1"]
    assert pair.hot.next is not None
    assert (pair.hot.next.path, pair.hot.next.parameters, pair.hot.next.timeout) == ("s1", {"n": 1}, 60.0)


def test_steps_that_came_along_and_are_taken_are_passed_over(driver: Driver) -> None:
    instance = start(driver, WIDE)
    held = claim(instance, "s0")
    claim(instance, "s1", "other")

    pair = decide(held, 1, mates=[("s1", 1), ("s2", 7), ("nobody", 1), ("s3", 1)])

    assert events(pair) == ["step.completed s0", "step.started s3"]


def test_a_worker_without_time_claims_nothing_along(driver: Driver) -> None:
    pair = decide(claim(start(driver, WIDE), "s0"), 1, mates=[("s1", 1)], goes_on=False)

    assert events(pair) == ["step.completed s0"]


def test_what_came_along_waits_while_the_worker_goes_on_with_what_follows(driver: Driver) -> None:
    pair = decide(claim(start(driver, ASIDE % "activity: core.echo"), "a"), mates=[("x", 1)])

    assert events(pair) == ["step.completed a", "step.scheduled b", "step.started b"]


def test_a_step_that_came_along_is_claimed_when_what_follows_is_for_others(driver: Driver) -> None:
    pair = decide(claim(start(driver, ASIDE % "activity: core.echo, queue: other"), "a"), mates=[("x", 1)])

    assert events(pair) == ["step.completed a", "step.scheduled b", "step.started x"]


def test_a_step_taken_over_from_the_engine_says_nothing_about_how_far_its_queue_is(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows_app.dispatch.publish", lambda *_: True)
    monkeypatch.setattr("workflows_app.dispatch.depth", lambda queue: 500)
    start(driver, ROW, name="waiting")
    sweep.send_again()
    held = claim(start(driver, ASIDE % 'activity: core.echo, when: "true"'), "a")
    onward = Onward(goes_on=lambda: True)

    driver.advance(5)
    steps.succeeded(claim=held, output=1, onward=onward)
    driver.advance(5)

    assert onward.next is not None
    assert sweep.send_again() == 0, "a message that waits its turn was sent again"
