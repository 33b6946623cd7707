"""Steps with ``cache``: what a decision asks for, what it does with what was found, and what it leaves for others."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from workflows_app.engine import canvas, definition, plain
from workflows_app.engine.caching import Entry, Found, entry
from workflows_app.engine.commands import Dispatch, Remember
from workflows_app.engine.graph import Graph
from workflows_app.engine.snapshot import InstanceSnapshot
from workflows_app.engine.states import StepState
from workflows_app.engine.transitions import (
    AttemptFailed,
    AttemptSucceeded,
    Decision,
    Slice,
    SliceMiss,
    Start,
    StepClaimed,
    decide,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PINNED = {"x": {"version": "2.1.0", "timeout": None}}
START = Start(input={"n": 1}, correlation_id="c", actor="ada")


def graph_of(**cache: Any) -> Graph:
    steps = [
        {"id": "a", "activity": "x", "with": {"n": "${ input.n }", "m": 2}, "cache": {"ttl": "1h", **cache}},
        {"id": "b", "activity": "x", "with": {"got": "${ steps.a.output }"}},
    ]
    return Graph(definition.parse({"workflow": "w", "version": "1.0.0", "steps": steps}), PINNED)


def start(graph: Graph, cached: dict[Entry, Found | None]) -> Decision:
    instance = InstanceSnapshot(id="i", workflow="w", version="1.0.0", input={"n": 1})
    return decide(Slice(graph=graph, instance=instance, whole=True, complete=True, cached=cached), START, now=NOW)


def wanted(graph: Graph) -> Entry:
    with pytest.raises(SliceMiss) as miss:
        start(graph, {})
    (only,) = miss.value.cached
    return only


def test_it_asks_under_the_activity_s_version_and_its_parameters() -> None:
    assert wanted(graph_of()) == entry("x@2.1.0", {"m": 2, "n": 1})


def test_or_under_the_value_of_its_key() -> None:
    assert wanted(graph_of(key="${ with.n }")) == entry("x@2.1.0", 1)
    assert wanted(graph_of(key="k-${ input.n }")) == entry("x@2.1.0", "k-1")


def test_a_fresh_result_completes_it_without_an_attempt_and_history_says_where_from() -> None:
    graph = graph_of()
    decision = start(graph, {wanted(graph): Found(output={"r": 1}, instance="other", step="z")})

    a, b = decision.after.steps["a"], decision.after.steps["b"]
    assert (a.state, a.output, a.attempts) == (StepState.COMPLETED, {"r": 1}, 0)
    assert b.input == {"got": {"r": 1}}
    event = next(event for event in decision.events if event.type == "step.completed")
    assert event.data == {"output": {"r": 1}, "cached": {"instance": "other", "step": "z"}}
    assert [type(command) for command in decision.commands] == [Dispatch]


def run(graph: Graph, outcome: Any) -> Decision:
    """Start without a fresh result, claim ``a``, and let its attempt end."""
    decision = start(graph, {wanted(graph): None})
    slice_ = replace(decision.before, instance=decision.after.instance, steps=decision.after.steps, cached={})
    claimed = decide(slice_, StepClaimed(step="a", worker="w"), now=NOW)
    slice_ = replace(slice_, instance=claimed.after.instance, steps=claimed.after.steps)
    return decide(slice_, outcome, now=NOW)


def remembered(decision: Decision) -> list[Remember]:
    return [command for command in decision.commands if isinstance(command, Remember)]


@pytest.mark.parametrize("cache", [{}, {"key": "${ with.n }"}, {"key": "${ instance.id }/${ input.n }"}])
def test_its_own_result_is_left_under_the_entry_that_was_asked_for(cache: dict[str, Any]) -> None:
    graph = graph_of(**cache)
    looked_for = wanted(graph)

    found = remembered(run(graph, AttemptSucceeded(step="a", number=1, output=7)))

    assert found == [Remember(step="a", activity=looked_for.activity, key=looked_for.key, seconds=3600)]


def test_a_failure_is_not_remembered() -> None:
    error = {"code": "NO", "message": "no", "details": {}, "recoverable": False}

    assert remembered(run(graph_of(), AttemptFailed(step="a", number=1, error=error))) == []


def test_a_key_that_fails_makes_the_step_fail() -> None:
    decision = start(graph_of(key="${ with.nothing }"), {})

    assert decision.after.steps["a"].state is StepState.FAILED
    assert decision.after.steps["a"].error is not None
    assert decision.after.steps["a"].error["code"] == "EXPRESSION_ERROR"


def test_the_hot_path_and_the_canvas_leave_it_to_the_engine() -> None:
    steps = [{"id": p, "activity": "x"} for p in ("before", "cached", "behind")]
    steps[1]["cache"] = {"ttl": "1h"}  # type: ignore[assignment]
    graph = Graph(definition.parse({"workflow": "w", "version": "1.0.0", "steps": steps}), PINNED)

    assert plain.after(graph, "before") is None
    assert plain.after(graph, "cached") is None
    stops = [over.why for each in canvas.survey(graph, fusing=False) for over, _ in each.ends]
    assert any("`cached` may have a cached result" in why for why in stops)
