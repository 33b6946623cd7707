"""What the hot path leaves to the engine: it refuses, and has changed nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.driver import Driver
from tests.integration.hot_path.deciders import decide
from tests.integration.hot_path.situations import ERROR, ROW, claim, done, left_to_the_engine, start
from workflows_app.services import instances, steps, sweep

UNDO = "steps: [{id: a, activity: core.echo, compensate: {activity: core.echo}}, {id: b, activity: core.echo}]"
BLOCK = """
steps:
  - id: block
    on_error: continue
    parallel:
      branches:
        one: [{id: a, activity: core.echo}, {id: a2, activity: core.echo}]
        two: [{id: inner, parallel: {branches: {x: [{id: b, activity: core.echo}], y: [{id: c, activity: core.echo}]}}}]
"""


def test_the_step_that_completes_a_join(driver: Driver) -> None:
    instance = start(
        driver,
        """
steps:
  - {id: a, activity: core.echo, needs: []}
  - {id: b, activity: core.echo, needs: []}
  - {id: join, activity: core.echo, needs: [a, b]}
""",
    )
    done(instance, "a")

    found = left_to_the_engine(decide(claim(instance, "b")))

    assert found == ["step.completed b", "step.scheduled join", "step.started join"]


@pytest.mark.parametrize("keys", ['when: "true"', "disabled: true", "deadline: 1m", 'with: {now: "${ now }"}'])
def test_a_follower_that_has_to_be_looked_at(driver: Driver, keys: str) -> None:
    instance = start(driver, f"steps: [{{id: a, activity: core.echo}}, {{id: b, activity: core.echo, {keys}}}]")

    assert not decide(claim(instance, "a")).accepted


def test_the_branch_that_closes_last_and_the_block_that_closes_in_a_branch(driver: Driver) -> None:
    instance = start(driver, BLOCK)
    done(instance, "b")

    found = left_to_the_engine(decide(claim(instance, "c")))

    assert found == ["step.completed c", "step.completed y", "step.completed inner", "step.completed two"]


def test_the_last_step_of_a_case(driver: Driver) -> None:
    instance = start(driver, "steps: [{id: c, choice: [{steps: [{id: a, activity: core.echo}]}]}]")

    assert left_to_the_engine(decide(claim(instance, "a")))[:2] == ["step.completed a", "step.completed c"]


def test_the_end_of_an_instance_with_several_ends(driver: Driver) -> None:
    instance = start(
        driver, "steps: [{id: a, activity: core.echo, needs: []}, {id: b, activity: core.echo, needs: []}]"
    )
    first = claim(instance, "a")
    assert decide(first).accepted
    done(instance, "b")

    assert left_to_the_engine(decide(first)) == ["step.completed a", "instance.completed"]


def test_an_output_that_does_not_evaluate(driver: Driver) -> None:
    instance = start(driver, 'steps: [{id: a, activity: core.echo}]\noutput: "${ steps.a.output.missing }"')

    found = left_to_the_engine(decide(claim(instance, "a"), {}))

    assert found == ["step.completed a", "instance.stopping", "instance.failed"]


def test_the_last_step_of_a_cancelled_instance(driver: Driver) -> None:
    instance = start(driver, "steps: [{id: a, activity: core.echo}]")
    held = claim(instance, "a")
    instances.cancel(instance_id=instance.pk, actor="ada")

    assert left_to_the_engine(decide(held)) == ["step.completed a", "instance.cancelled"]


@pytest.mark.parametrize("compensate", [False, True])
def test_whatever_succeeds_in_a_cancelled_instance(driver: Driver, compensate: bool) -> None:
    instance = start(driver, UNDO)
    held = claim(instance, "a")
    instances.cancel(instance_id=instance.pk, actor="ada", compensate=compensate)

    pair = decide(held, 1)

    assert left_to_the_engine(pair)[0] == "step.completed a"
    assert (pair.engine.next is not None) is compensate


def test_the_success_of_an_undo(driver: Driver) -> None:
    instance = start(driver, UNDO)
    done(instance, "a")
    instances.cancel(instance_id=instance.pk, actor="ada", compensate=True)

    found = left_to_the_engine(decide(claim(instance, "a"), 1))

    assert found == ["step.compensated a", "instance.compensated"]


def test_whatever_succeeds_in_a_block_that_is_stopping_at_any_depth(driver: Driver) -> None:
    instance = start(driver, BLOCK)
    outer, inner = claim(instance, "a"), claim(instance, "b")
    steps.failed(claim=claim(instance, "c"), error=ERROR)

    assert left_to_the_engine(decide(outer))[0] == "step.completed a"
    assert left_to_the_engine(decide(inner))[0] == "step.completed b"


def test_the_last_step_of_a_branch_of_a_block_that_is_stopping(driver: Driver) -> None:
    branches = ", ".join(f"{name}s: [{{id: {name}, activity: core.echo}}]" for name in "abc")
    instance = start(driver, f"steps: [{{id: block, on_error: continue, parallel: {{branches: {{{branches}}}}}}}]")
    held = claim(instance, "a")
    claim(instance, "b")
    steps.failed(claim=claim(instance, "c"), error=ERROR)

    assert left_to_the_engine(decide(held)) == ["step.completed a", "step.cancelled as"]


def test_an_attempt_that_was_ended_by_somebody_else(driver: Driver) -> None:
    instance = start(driver, ROW)
    lost = claim(instance, "a")
    driver.advance(9)
    sweep.end_overdue_attempts()

    found = [decide(lost, 1)]
    again = claim(instance, "a")
    found.append(decide(lost, 1))
    steps.succeeded(claim=again, output=2)
    found += [decide(lost, 1), decide(again, 2)]

    assert [(pair.accepted, pair.engine.recorded) for pair in found] == [(False, False)] * 4


def test_any_attempt_of_a_terminated_instance(driver: Driver) -> None:
    instance = start(driver, ROW)
    held = claim(instance, "a")
    instances.terminate(instance_id=instance.pk, actor="ada")

    pair = decide(held, 1)

    assert (pair.accepted, pair.engine.recorded) == (False, False)


@pytest.mark.parametrize("mates", [[], [("x", 1), ("y", 1)]])
def test_with_a_refusal_what_came_along_stays_with_the_worker(driver: Driver, mates: list[Any]) -> None:
    more = "{id: x, activity: core.echo, needs: []}, {id: y, activity: core.echo, needs: []}"
    instance = start(driver, ROW.replace("[{", f"[{more}, {{", 1).replace("id: a,", "id: a, needs: [],"))
    held = claim(instance, "a")
    instances.cancel(instance_id=instance.pk, actor="ada")

    # That it still has them is checked with every refusal.
    assert not decide(held, 1, mates=mates).accepted
