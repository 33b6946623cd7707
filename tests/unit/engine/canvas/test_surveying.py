"""A survey shows every step of a definition in a canvas, and what leads to which."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import given

from tests.strategies.definitions import definitions
from tests.unit.engine.canvas.drawn import activity, flat, flow, nested
from tests.unit.engine.canvas.shown import shape, steps
from workflows_app.engine import canvas
from workflows_app.engine.canvas import Canvas, naming
from workflows_app.engine.definition import Definition
from workflows_app.engine.graph import Graph
from workflows_app.engine.node import Node
from workflows_app.engine.paths import chosen


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


def test_what_waits_for_an_event_leads_on_later_and_what_publishes_one_at_once() -> None:
    tell = {"id": "tell", "emit": {"event": "e"}}

    found = survey(echo("a"), tell, echo("b"), {"id": "hear", "receive": {"event": "e"}}, echo("c"))

    assert told(found) == [
        ("at the start", "a", [(2,)]),
        ("after `a`", "b", [(3,)]),
        ("when `hear` has received its event", "c", []),
    ]
    assert [over.why for each in found for over, _ in each.ends] == [
        "`tell` publishes an event: the engine does that itself",
        "`hear` waits for an event: no message is held meanwhile",
    ]


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


def each(*inner: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"id": "each", "foreach": {"items": "input.lines", **keys, "steps": list(inner)}}


def again(*inner: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"id": "again", "loop": {"times": 2, "steps": list(inner)}, **keys}


def shown(found: tuple[Canvas, ...]) -> list[tuple[str, str, list[tuple[int, ...]]]]:
    return [(begins, naming.shown(plan), leads) for begins, plan, leads in told(found)]


def test_what_repeats_is_surveyed_once_and_leads_to_itself_and_to_what_follows() -> None:
    found = survey(echo("a"), each(echo("b"), echo("c")), echo("z"), input={"type": "object"})

    assert shown(found) == [
        ("at the start", "a", [(2,)]),
        ("for each item of `each`", "each[...].b+each[...].c", [(2, 3)]),
        ("after the block `each`", "z", []),
    ]
    assert [over.why for canvas in found for over, _ in canvas.ends][1] == (
        "`each` repeats its steps for each item: only runtime knows how often"
    )


def test_blocks_that_repeat_nest() -> None:
    found = survey(each(again(echo("b")), echo("c"), max_concurrency=2), input={"type": "object"})

    assert shown(found) == [
        ("in each iteration of `each[...].again`", "each[...].again[...].b", [(1, 2)]),
        ("after the block `each[...].again`", "each[...].c", [(1,)]),
    ]


def test_an_iteration_that_ends_with_what_the_engine_does_leads_to_itself_too() -> None:
    found = survey(again(echo("a"), {"id": "s", "set": {"n": 1}}), echo("z"), variables={"n": 0})

    assert shown(found) == [
        ("in each iteration of `again`", "again[...].a", [(1, 2)]),
        ("after the block `again`", "z", []),
    ]


def test_an_iteration_that_ends_with_a_wait_leads_to_itself_when_it_is_over() -> None:
    found = survey(again(echo("a"), {"id": "w", "wait": {"for": "1d"}}), echo("z"))

    assert shown(found) == [
        ("in each iteration of `again`", "again[...].a", [(1, 2)]),
        ("after the block `again`", "z", []),
    ]


def test_a_block_that_only_sets_leads_straight_to_what_follows_it() -> None:
    found = survey(echo("a"), again({"id": "s", "set": {"n": 1}}), echo("z"), variables={"n": 0})

    assert shown(found) == [("at the start", "a", [(2,)]), ("after the block `again`", "z", [])]


def test_a_disabled_block_is_passed_over() -> None:
    found = survey(echo("a"), again(echo("b"), disabled=True), echo("z"))

    assert shown(found) == [("at the start", "a", [(2,)]), ("after `a`", "z", [])]


def test_cases_and_joins_inside_are_shown_with_the_path_of_their_iteration() -> None:
    cases = [{"when": "item > 1", "steps": [echo("b")]}, {"steps": [echo("c")]}]
    inner = [echo("x", needs=[]), echo("y", needs=[]), echo("j", needs=["x", "y"], join="any")]

    found = survey(each({"id": "way", "choice": cases}, *inner), input={"type": "object"})

    assert {each.begins for each in found} >= {
        "case 1 of `each[...].way`, if item > 1",
        "case 2 of `each[...].way`, otherwise",
        "`each[...].j`, with the first of its needs",
    }


def test_each_step_that_people_pick_begins_a_canvas_and_what_follows_the_section_another() -> None:
    section = {"id": "handle", "adhoc": {"steps": [echo("a"), {"id": "s", "set": {"n": 1}}]}}

    found = survey(section, echo("z"), variables={"n": 0})

    assert shown(found) == [
        ("when somebody picks `a` in `handle`", "handle-a[...].a", [(2,)]),
        ("after the section `handle`", "z", []),
    ]


def test_sizes_inside_hold_for_the_last_of_all_items() -> None:
    (found,) = survey(each(echo("b")), input={"type": "object"})

    assert found.weight.largest >= len("each[99999].b") + 940


@given(definitions(max_steps=12, events=True, people=True) | flat() | nested())
def test_every_step_that_can_run_is_in_exactly_one_canvas(drawn: Definition) -> None:
    graph = Graph(drawn)

    found = canvas.survey(graph)

    shown = [path for each in found for path in steps(each.plan)]
    assert len(set(shown)) == len(shown)
    wanted = {node.path for node in nodes(graph) if node.kind == "activity" and not node.step.disabled}
    assert wanted - set(shown) <= inside_what_never_opens(graph)
    assert [each.number for each in found] == list(range(1, len(found) + 1))


def nodes(graph: Graph, path: str | None = None) -> Iterator[Node]:
    """Every node, of what repeats those of the iteration that a survey looks at."""
    for node in graph.descendants(path):
        yield node
        for path in iterations(node):
            yield graph[path]
            yield from nodes(graph, path)


def iterations(node: Node) -> list[str]:
    """The iterations that a survey looks at: one, or one of each member of an ad-hoc section."""
    if node.kind == "adhoc":
        return [chosen(node.path, member.id) + naming.ITERATION for member in node.adhoc.steps]
    return [node.path + naming.ITERATION] if node.is_repeat else []


def inside_what_never_opens(graph: Graph) -> set[str]:
    """Steps in disabled blocks, and those that only a step that ends the instance leads to."""
    never = {n.path for n in nodes(graph) if n.step.disabled}
    never |= {inner.path for path in list(never) for inner in inside(graph, path)}
    ends = {n.path for n in nodes(graph) if n.kind in ("return", "fail")}
    stack = [*ends]
    while stack:
        node = graph[stack.pop()]
        after = [*node.successors, *([node.parent] if node.parent else [])]
        after += [inner.path for inner in inside(graph, node.path)] if node.path not in ends else []
        stack += [path for path in after if path not in never]
        never |= set(after)
    return never


def inside(graph: Graph, path: str) -> Iterator[Node]:
    return (node for around in iterations(graph[path]) or [path] for node in nodes(graph, around))
