"""For random definitions and orders: a canvas leads where the plain loop leads, whatever is lost, doubled or killed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.strategies.definitions import definitions
from tests.unit.engine.canvas.drawn import activity, flat, flow, nested, whole_language
from tests.unit.engine.canvas.plain_loop import Interpreter, outcome
from tests.unit.engine.canvas.workers import CALM, STORM, Weather, Workers
from workflows_app.engine.definition import Definition
from workflows_app.engine.states import STEP_OPEN

SEEDS = st.integers(0, 2**32 - 1)
DRAWN = whole_language() | flat() | nested()
RANDOM = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def sequential(drawn: Definition) -> dict[str, Any]:
    interpreter = Interpreter(drawn, 0, trouble=0.0)
    interpreter.run()
    return outcome(interpreter)


@RANDOM
@given(DRAWN, SEEDS, st.booleans())
def test_a_canvas_leads_where_the_plain_loop_leads_and_nothing_has_to_be_swept(
    drawn: Definition, seed: int, fusing: bool
) -> None:
    workers = Workers(drawn, seed, fusing=fusing, weather=CALM)

    workers.run()

    assert outcome(workers) == sequential(drawn)
    assert workers.seen.swept == 0, "a dispatch had no message"
    assert workers.seen.useless == 0, "a message had no dispatch"
    # Where a failed step jumps to is not what follows it.
    reactions = [each for node in workers.graph.written.values() for _, each in node.step.on_error.written()]
    jumps = any(reaction.goto for reaction in reactions)
    assert fusing or jumps or workers.seen.mistaken == 0, "a canvas foretold something else"


def test_a_jump_after_a_failure_is_led_by_a_plan_of_its_own() -> None:
    first = activity("s1", activity="core.fail", on_error={"goto": "s3"})
    workers = Workers(flow(first, activity("s2", "s1"), activity("s3", "s2")), 0, fusing=False, weather=CALM)

    workers.run()

    assert {path: step.state for path, step in workers.state.steps.items()} == {
        "s1": "failed",
        "s2": "skipped",
        "s3": "completed",
    }
    assert (workers.seen.planned, workers.seen.mistaken, workers.seen.swept) == (2, 1, 0)


@RANDOM
@given(DRAWN, SEEDS, st.booleans())
def test_messages_that_are_lost_or_doubled_and_workers_that_are_killed_change_nothing(
    drawn: Definition, seed: int, fusing: bool
) -> None:
    workers = Workers(drawn, seed, fusing=fusing, weather=STORM)

    workers.run()

    assert outcome(workers) == sequential(drawn)


@RANDOM
@given(definitions(max_steps=12), SEEDS, st.booleans(), st.booleans())
def test_failures_retries_time_outs_and_cancels_end_truthfully_through_canvases(
    drawn: Definition, seed: int, fusing: bool, cancel: bool
) -> None:
    workers = Workers(drawn, seed, fusing=fusing, weather=STORM, settled=False, trouble=0.3, cancel=cancel)

    workers.run()

    assert not any(step.state in STEP_OPEN for step in workers.state.steps.values())


@given(nested(wide=False), SEEDS)
def test_without_a_limit_one_plan_carries_a_series_parallel_definition_to_its_end(drawn: Definition, seed: int) -> None:
    workers = Workers(drawn, seed, fusing=False, limit_bytes=10**9)

    workers.run()

    assert workers.seen.planned == 1


@pytest.mark.parametrize("fusing", [True, False], ids=["fusing", "not fusing"])
@pytest.mark.parametrize("weather", [CALM, STORM], ids=["calm", "storm"])
def test_a_wide_group_meets_again_whatever_happens_to_its_messages(fusing: bool, weather: Weather) -> None:
    members = [activity(f"s{n}", "first") for n in range(40)]
    drawn = flow(activity("first"), *members, activity("join", *(m["id"] for m in members)), activity("last", "join"))
    for seed in range(20):
        workers = Workers(drawn, seed, fusing=fusing, weather=weather)

        workers.run()

        assert outcome(workers) == sequential(drawn)
        assert bool(workers.seen.chunks) is fusing
        assert weather is STORM or bool(workers.seen.chords) is not fusing
