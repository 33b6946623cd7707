"""Overrides make a graph of their own: what they name is different, everything else is shared and stays as it was."""

from __future__ import annotations

from typing import Any

from workflows_app.engine import definition, overrides
from workflows_app.engine.graph import Graph

DOCUMENT: dict[str, Any] = {
    "workflow": "w",
    "version": "1.0.0",
    "timeout": "1d",
    "steps": [
        {"id": "pay", "activity": "x", "with": {"n": "${ input.n }"}, "compensate": {"activity": "y"}},
        {"id": "each", "foreach": {"items": [1], "steps": [{"id": "pack", "activity": "x", "priority": "low"}]}},
        {"id": "paid", "receive": {"event": "paid"}, "timeout": "1h"},
    ],
}


def overridden(**given: Any) -> tuple[Graph, Graph]:
    """The graph of the version, and the one with these overrides."""
    graph = Graph(definition.parse(DOCUMENT))
    kept, problems = overrides.read(given, graph)
    assert problems == []
    return graph, overrides.apply(graph, kept)


def test_what_is_named_is_different_also_in_iterations_and_for_the_undo() -> None:
    steps = {"pay": {"timeout": "2m", "max_attempts": 7}, "pack": {"timeout": 5}, "paid": {"timeout": "2h"}}

    before, after = overridden(steps=steps)

    assert (after["pay"].timeout, after["pay"].queue, after["pay"].undo_timeout) == (120, "long", 120)
    assert after["pay"].retry is not None
    assert after["pay"].retry.max_attempts == after.undo_order.node("pay").undo_retry.max_attempts == 7
    assert (after["each[3].pack"].timeout, after["paid"].step.timeout) == (5, 7200)
    assert (before["pay"].timeout, before["pay"].retry, before["each[3].pack"].timeout) == (60, None, 60)
    assert before["paid"].step.timeout == 3600


def test_the_priority_of_an_instance_beats_that_of_its_steps_and_is_beaten_by_its_own() -> None:
    before, after = overridden(priority="high", steps={"pay": {"priority": "critical"}})

    assert [after[path].priority for path in ("pay", "each[0].pack", "paid")] == [2, 1, 0]
    assert [before[path].priority for path in ("pay", "each[0].pack", "paid")] == [0, -1, 0]


def test_what_is_compiled_is_shared_and_of_a_whole_time_out_every_node() -> None:
    before = Graph(definition.parse(DOCUMENT))
    compiled = before["pay"].value

    own = overrides.apply(before, {"steps": {"pay": {"timeout": 5.0}}})
    whole = overrides.apply(before, {"timeout": 60.0})

    assert own["pay"].value is compiled
    assert own["paid"] is before["paid"]
    assert whole.nodes is before.nodes
    assert (whole.definition.timeout, before.definition.timeout) == (60, 86400)
