"""A survey shows every step of a definition in a canvas, and what leads to which."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from tests.strategies.definitions import definitions
from tests.unit.engine.canvas.drawn import activity, flat, flow, nested
from tests.unit.engine.canvas.shown import shape, steps
from workflows_app.engine import canvas
from workflows_app.engine.canvas import Canvas
from workflows_app.engine.definition import Definition
from workflows_app.engine.graph import Graph


def echo(path: str, **keys: Any) -> dict[str, Any]:
    return {"id": path, "activity": "core.echo", **keys}


def survey(*written: dict[str, Any], fusing: bool = True, **keys: Any) -> tuple[Canvas, ...]:
    return canvas.survey(Graph(flow(*written, **keys)), fusing=fusing)


def told(found: tuple[Canvas, ...]) -> list[tuple[str, str, list[tuple[int, ...]]]]:
    """When each canvas begins, its shape, and what its ends lead to."""
    return [(each.begins, shape(each.plan), [leads for _, leads in each.ends]) for each in found]


def test_a_definition_without_decisions_is_one_canvas() -> None:
    assert told(survey(echo("a"), echo("b"))) == [("at the start", "a+b", [])]


def test_a_definition_that_the_engine_does_itself_has_none() -> None:
    assert survey({"id": "s", "set": {"n": 1}}, variables={"n": 0}) == ()


def test_what_the_engine_passes_in_one_decision_leads_on_at_once() -> None:
    found = survey(echo("a"), {"id": "s", "set": {"n": 1}}, echo("b", disabled=True), echo("c"), variables={"n": 0})

    assert told(found) == [("at the start", "a", [(2,)]), ("after `a`", "c", [])]


def test_each_case_of_a_choice_is_a_canvas_and_so_is_what_follows_it() -> None:
    cases = [{"when": "input.n > 1", "steps": [echo("b"), echo("c")]}, {"steps": [echo("d")]}]

    found = survey(echo("a"), {"id": "way", "choice": cases}, echo("z"), input={"type": "object"})

    assert told(found) == [
        ("at the start", "a", [(2, 3)]),
        ("case 1 of `way`, if input.n > 1", "b+c", [(4,)]),
        ("case 2 of `way`, otherwise", "d", [(4,)]),
        ("after the choice `way`", "z", []),
    ]


def test_a_choice_that_only_sets_leads_straight_to_what_follows_it() -> None:
    found = survey(
        echo("a"), {"id": "way", "choice": [{"steps": [{"id": "s", "set": {"n": 1}}]}]}, echo("z"), variables={"n": 0}
    )

    assert told(found) == [("at the start", "a", [(2,)]), ("after the choice `way`", "z", [])]


def test_what_follows_a_wait_begins_when_it_is_over() -> None:
    assert told(survey({"id": "w", "wait": {"for": "1d"}}, echo("a"))) == [("when the wait `w` is over", "a", [])]


def test_a_block_whose_end_only_runtime_knows_is_followed_by_a_canvas_of_its_own() -> None:
    block = {"id": "p", "parallel": {"branches": {"x": [echo("a"), echo("b", when="true")], "y": [echo("c")]}}}

    assert told(survey(block, echo("z"))) == [
        ("at the start", "[a | c]", [(2,), (3,)]),
        ("after `a`", "b", [(3,)]),
        ("after the block `p`", "z", []),
    ]


def test_a_join_that_crosses_begins_when_all_that_it_waits_for_has_settled() -> None:
    crossed = [activity("a"), activity("b"), activity("c", "a"), activity("d", "a", "b")]

    assert told(survey(*crossed)) == [
        ("at the start", "[a | b]", [(2, 3)]),
        ("after `a`", "c", []),
        ("`d`, when all that it waits for has settled", "d", []),
    ]


def test_a_long_row_step_by_step_goes_from_canvas_to_canvas() -> None:
    found = survey(*(echo(f"s{n}") for n in range(300)), fusing=False)

    assert [leads for each in found for _, leads in each.ends] == [(n,) for n in range(2, len(found) + 1)]
    assert sum(each.steps for each in found) == 300
    assert all(each.weight.largest <= 32_000 for each in found)


@given(definitions(max_steps=12) | flat() | nested())
def test_every_step_that_can_run_is_in_exactly_one_canvas(drawn: Definition) -> None:
    graph = Graph(drawn)

    found = canvas.survey(graph)

    shown = [path for each in found for path in steps(each.plan)]
    assert len(set(shown)) == len(shown)
    wanted = {path for path, node in graph.nodes.items() if node.kind == "activity" and not node.step.disabled}
    assert wanted - set(shown) <= inside_what_never_opens(graph)
    assert [each.number for each in found] == list(range(1, len(found) + 1))


def inside_what_never_opens(graph: Graph) -> set[str]:
    """Steps in disabled blocks, and those that only a step that ends the instance leads to."""
    never = {n.path for n in graph.nodes.values() if n.step.disabled}
    never |= {inner.path for path in list(never) for inner in graph.descendants(path)}
    ends = {n.path for n in graph.nodes.values() if n.kind in ("return", "fail")}
    stack = [*ends]
    while stack:
        node = graph[stack.pop()]
        after = [*node.successors, *([node.parent] if node.parent else [])]
        after += [inner.path for inner in graph.descendants(node.path)] if node.path not in ends else []
        stack += [path for path in after if path not in never]
        never |= set(after)
    return never
