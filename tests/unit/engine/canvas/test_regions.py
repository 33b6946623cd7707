"""What becomes of definitions: the shape of the canvas, where it ends, and why."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.engine.canvas.drawn import activity, flat, flow, nested, whole_language
from tests.unit.engine.canvas.shown import frontier, meant, order, region, shape, steps, whys
from workflows_app.engine import canvas
from workflows_app.engine.canvas import Chain, Group, Task
from workflows_app.engine.commands import Dispatch
from workflows_app.engine.definition import Definition
from workflows_app.engine.graph import Graph

A, B, C, D = activity("a"), activity("b", "a"), activity("c", "a"), activity("d", "b", "c")


# ------------------------------------------------------------------ shapes
def test_nothing_ready_is_no_plan() -> None:
    assert canvas.compile(Graph(flow(A)), []) is None


def test_one_step_is_one_message_without_any_wrapper() -> None:
    assert canvas.compile(Graph(flow(A)), frontier(Graph(flow(A)), "a")) == Task(
        step="a", generation=1, queue="default"
    )


def test_a_row_of_light_steps_is_one_message_and_without_fusion_a_chain() -> None:
    row = flow(A, B, activity("c", "b"))

    assert shape(region(row, "a").plan) == "a+b+c"
    assert shape(region(row, "a", fusing=False).plan) == "a > b > c"
    assert not region(row, "a").hand_overs


def test_a_step_that_goes_on_from_the_middle_takes_the_rest_along_at_its_own_generation() -> None:
    plan = region(flow(A, B, activity("c", "b")), "b", generation=3, fusing=False).plan

    assert plan == Chain(
        links=(Task(step="b", generation=3, queue="default"), Task(step="c", generation=1, queue="default"))
    )


def test_branches_that_meet_again_are_a_chord() -> None:
    diamond = flow(A, B, C, D, activity("e", "d"))

    assert shape(region(diamond, "a").plan) == "a > {b | c} => d+e"
    assert shape(region(diamond, "a", fusing=False).plan) == "a > {b | c} => d > e"


def test_branches_that_do_not_meet_are_a_group() -> None:
    assert shape(region(flow(A, B, C), "a").plan) == "a > [b | c]"


def test_blocks_in_blocks_are_chords_in_chords() -> None:
    inner = {"id": "q", "parallel": {"branches": {"u": [echo("u1")], "v": [echo("v1")]}}}
    block = {"id": "p", "parallel": {"branches": {"x": [echo("x1"), echo("x2")], "y": [echo("y1"), inner, echo("y3")]}}}

    found = region(flow(echo("a"), block, echo("z")), "a", fusing=False)

    assert shape(found.plan) == "a > {x1 > x2 | y1 > {u1 | v1} => y3} => z"
    assert not found.hand_overs


def echo(path: str, **keys: object) -> dict:
    """A step that needs the one before it."""
    return {"id": path, "activity": "core.echo", **keys}


def test_two_joins_in_a_row_are_a_chord_whose_body_is_a_chord() -> None:
    rows = flow(activity("a"), activity("b"), activity("c", "a", "b"), activity("d", "a", "b"), activity("e", "c", "d"))

    assert shape(region(rows, "a", "b").plan) == "{a | b} => {c | d} => e"


def test_some_of_the_strands_meet_and_the_others_join_them_later() -> None:
    steps = [activity("a"), activity("b"), activity("c"), activity("d", "a", "b"), activity("e", "c", "d")]

    assert shape(region(flow(*steps), "a", "b", "c").plan) == "{{a | b} => d | c} => e"


def test_a_need_that_another_need_implies_says_nothing() -> None:
    assert shape(region(flow(A, B, activity("c", "a", "b")), "a", fusing=False).plan) == "a > b > c"


# ------------------------------------------------------------------ where it stops
def test_joins_that_cross_are_counted_in_the_database() -> None:
    crossed = flow(activity("a"), activity("b"), activity("c", "a"), activity("d", "a", "b"))

    found = region(crossed, "a", "b")

    assert found.plan == Group(members=tuple(Task(step=path, generation=1, queue="default") for path in "ab"))
    assert whys(found) == [
        "`c`, `d` wait for `a`, not all for the same steps: joins are counted in the database",
    ]


def test_a_join_across_nested_strands_is_counted_in_the_database() -> None:
    steps = [A, B, C, activity("d", "b"), activity("e", "b"), activity("f", "e", "c"), activity("g", "d", "f")]

    found = region(flow(*steps), "a", fusing=False)

    assert shape(found.plan) == "a > [b > [d | e] | c]"
    assert "`f` waits for steps of different strands: its join is counted in the database" in whys(found)


def test_a_join_of_which_only_a_part_is_ready_is_counted_in_the_database() -> None:
    found = region(flow(A, B, C, D), "b")

    assert shape(found.plan) == "b"
    assert whys(found) == ["`d` waits for steps outside this region: its join is counted in the database"]


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (activity("b", "a", when="true"), "`b` has a condition: the engine decides when it is reached"),
        (activity("b", "a", disabled=True), "`b` is disabled: the engine passes over it"),
        ({"id": "b", "needs": ["a"], "set": {"total": 1}}, "`b` sets variables: the engine does that itself"),
        (
            {"id": "b", "needs": ["a"], "choice": [{"steps": [echo("c")]}]},
            "`b` is a choice: the engine decides when it is reached",
        ),
        ({"id": "b", "needs": ["a"], "wait": {"for": "1d"}}, "`b` waits for a time: no message is held meanwhile"),
        ({"id": "b", "needs": ["a"], "return": {"output": 1}}, "`b` ends the instance: the engine does that itself"),
        ({"id": "b", "needs": ["a"], "fail": {"code": "NO"}}, "`b` ends the instance: the engine does that itself"),
        (
            {"id": "b", "needs": ["a"], "parallel": {"branches": {"x": [echo("c")], "y": [echo("d")]}, "join": "any"}},
            "`b` is a race: the first branches to complete decide it",
        ),
        (
            {"id": "b", "needs": ["a"], "parallel": {"branches": {"x": [echo("c", when="true")], "y": [echo("d")]}}},
            "`c` has a condition: the engine decides when it is reached",
        ),
    ],
)
def test_what_only_runtime_knows_ends_the_region_and_says_why(step: dict, why: str) -> None:
    found = region(flow(activity("a"), step, variables={"total": 0}), "a")

    assert shape(found.plan) == "a"
    assert whys(found) == [why]
    assert found.hand_overs[0].after == ("a",)


def test_a_join_of_the_first_is_not_foretold() -> None:
    found = region(flow(activity("a"), activity("b"), activity("c", "a", "b", join="any")), "a", "b")

    assert shape(found.plan) == "[a | b]"
    assert whys(found) == ["`c` begins with the first of its needs: the engine decides when"]


def test_a_need_is_not_implied_by_a_step_that_begins_with_the_first_of_its_needs() -> None:
    steps = [activity("a"), activity("x"), activity("b", "a", "x", join="any"), activity("c", "a", "b")]

    found = region(flow(*steps), "b", fusing=False)

    assert shape(found.plan) == "b"


def test_a_block_does_not_end_with_a_step_that_begins_with_the_first_of_its_needs() -> None:
    first = [activity("a"), activity("x"), activity("b", "a", "x", join="any")]

    found = region(flow({"id": "p", "parallel": {"branches": {"y": first}}}, echo("z")), "b", fusing=False)

    assert shape(found.plan) == "b"
    assert whys(found) == ["`b` begins with the first of its needs: the engine decides when"]


def test_inside_a_race_a_branch_is_a_chain_that_ends_with_it() -> None:
    race = {"id": "p", "parallel": {"branches": {"x": [echo("a"), echo("b")], "y": [echo("c")]}, "join": "any"}}

    found = region(flow(race, echo("d")), "a", "c", fusing=False)

    assert shape(found.plan) == "[a > b | c]"
    assert whys(found) == ["`p` is a race: the first branches to complete decide it"]


def test_a_branch_of_a_choice_ends_with_the_choice() -> None:
    found = region(flow({"id": "p", "choice": [{"steps": [echo("a"), echo("b")]}]}, echo("d")), "a")

    assert shape(found.plan) == "a+b"
    assert whys(found) == ["the choice `p` ends here: the engine goes on after it"]


def test_a_second_dispatch_of_a_step_that_can_be_undone_may_be_its_undo_and_foretells_nothing() -> None:
    undoable = flow(activity("a", compensate={"activity": "core.log", "with": {"message": "undone"}}), B)

    assert shape(region(undoable, "a", generation=1).plan) == "a+b"
    assert shape(region(undoable, "a", generation=2).plan) == "a"


# ------------------------------------------------------------------ fusion
def test_long_steps_steps_that_stay_alone_and_other_queues_have_messages_of_their_own() -> None:
    row = flow(
        echo("a"),
        echo("b"),
        echo("c", timeout="2h"),
        echo("d"),
        echo("e", batch=False),
        echo("f"),
        echo("g", queue="q"),
    )

    assert shape(region(row, "a").plan) == "a+b > c > d > e > f > g"


def test_steps_on_one_queue_of_their_own_share_a_message() -> None:
    assert shape(region(flow(echo("a", queue="q"), echo("b", queue="q"), echo("c")), "a").plan) == "a+b > c"


@given(whole_language() | flat() | nested(), st.data(), st.booleans(), st.sampled_from([2_000, 5_000, 32_000, 10**9]))
def test_a_canvas_has_the_order_of_its_definition_no_barrier_more_and_none_less(
    drawn: Definition, data: st.DataObject, fusing: bool, limit: int
) -> None:
    graph = Graph(drawn)
    before = meant(drawn)
    candidates = [path for path, node in graph.nodes.items() if node.kind == "activity"]
    if not candidates:
        return
    ready = data.draw(st.lists(st.sampled_from(candidates), unique=True, min_size=1, max_size=6))
    ready = [path for path in ready if not any((other, path) in before for other in ready)]

    found = canvas.region(graph, frontier(graph, *ready), fusing=fusing, limit_bytes=limit)

    inside = steps(found.plan)
    assert len(set(inside)) == len(inside)
    assert {task.step for task in canvas.first(found.plan)} == set(ready)
    assert order(found.plan) == {(x, y) for x, y in before if x in inside and y in inside}
    assert canvas.size(found.plan) <= max(limit, canvas.size(bare(graph, ready)))


def bare(graph: Graph, ready: list[str]) -> canvas.Plan:
    """The ready steps alone."""
    tasks = tuple(Task(step=path, generation=1, queue=graph[path].queue) for path in ready)
    return Group(members=tasks) if len(tasks) > 1 else tasks[0]


@given(flat() | nested())
def test_every_end_of_a_region_says_where_it_goes_on(drawn: Definition) -> None:
    graph = Graph(drawn)
    ready = [path for path in graph.roots if not graph[path].needs and graph[path].kind == "activity"]
    if not ready:
        return
    found = canvas.region(graph, frontier(graph, *ready))
    inside = steps(found.plan)

    outside = {y for x, y in meant(drawn) if x in inside and graph[y].kind == "activity"} - set(inside)

    assert bool(outside) <= bool(found.hand_overs)
    assert {path for hand_over in found.hand_overs for path in hand_over.after} <= set(inside)


def test_a_frontier_of_an_unknown_timeout_is_long_by_its_dispatch() -> None:
    graph = Graph(flow(A, B))

    plan = canvas.compile(graph, [Dispatch(step="a", generation=2, queue="long", timeout=3600.0)])

    assert shape(plan) == "a > b"
    assert canvas.first(plan)[0].long
