"""Pictures: nothing stands on anything else, links lead down, and too much is folded away."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import machines
from tests.strategies.definitions import definitions
from tests.strategies.sagas import meshes
from workflows_app.drawing import flows, state_machines
from workflows_app.drawing.chart import Chart
from workflows_app.drawing.layout import Frame, Layout, lay_out
from workflows_app.drawing.picture import Picture, draw
from workflows_app.drawing.scene import MOST_BOXES, SIDE, scene
from workflows_app.engine import definition
from workflows_app.engine.graph import Graph

SLACK = 0.01


def charted(steps: Sequence[dict[str, Any]]) -> Chart:
    parsed = definition.parse({"workflow": "w", "version": "1.0.0", "steps": list(steps)})
    return flows.chart(Graph(parsed))


def echo(id: str, **keys: Any) -> dict[str, Any]:
    return {"id": id, "activity": "core.echo", **keys}


def pictured(chart: Chart, **options: Any) -> Picture:
    found = draw(chart, **options)
    assert found is not None
    return found


def apart(one: Frame, other: Frame) -> bool:
    return (
        one.right <= other.x + SLACK
        or other.right <= one.x + SLACK
        or one.bottom <= other.y + SLACK
        or other.bottom <= one.y + SLACK
    )


def within(inner: Frame, outer: Frame) -> bool:
    return (
        outer.x - SLACK <= inner.x
        and outer.y - SLACK <= inner.y
        and inner.right <= outer.right + SLACK
        and inner.bottom <= outer.bottom + SLACK
    )


def around(chart: Chart, name: str) -> set[str]:
    found = set()
    parent = chart.vertices[name].parent
    while parent is not None:
        found.add(parent)
        parent = chart.vertices[parent].parent
    return found


def check_places(chart: Chart, layout: Layout) -> None:
    """Boxes stand inside their blocks and apart from all others."""
    steps = {key: frame for key, frame in layout.boxes.items() if key in chart.vertices}
    for name, frame in steps.items():
        for block in around(chart, name):
            assert within(frame, steps[block]), (name, block)
    for (one, first), (other, second) in combinations(steps.items(), 2):
        if one not in around(chart, other) and other not in around(chart, one):
            assert apart(first, second), (one, other)


def drawn(chart: Chart) -> Layout:
    chosen = scene(chart)
    assert chosen is not None
    return lay_out(chosen.outermost)


@given(st.one_of(definitions(), meshes()))
def test_boxes_stand_apart_inside_their_blocks_and_links_lead_down(given: definition.Definition) -> None:
    chart = flows.chart(Graph(given))

    layout = drawn(chart)

    check_places(chart, layout)
    assert set(layout.boxes) >= set(chart.vertices)
    for route in layout.routes:
        source, target = layout.boxes[route.source], layout.boxes[route.target]
        heights = [y for _, y in route.points]
        assert heights == sorted(heights)
        assert source.bottom <= target.y
        assert route.points[0][1] == source.bottom
        assert route.points[-1][1] == target.y


@given(st.one_of(definitions(), meshes()))
def test_no_link_runs_through_a_box_that_it_has_nothing_to_do_with(given: definition.Definition) -> None:
    layout = drawn(flows.chart(Graph(given)))

    for route in layout.routes:
        for (x, y), (next_x, next_y) in zip(route.points, route.points[1:], strict=False):
            if abs(x - next_x) > SLACK:
                continue
            for key, frame in layout.boxes.items():
                beside = x <= frame.x or frame.right <= x or next_y <= frame.y or frame.bottom <= y
                outer = frame.y < y and next_y < frame.bottom
                assert beside or outer or key in (route.source, route.target)


@given(machines.machines())
def test_a_state_machine_is_drawn_with_each_state_and_each_transition_once(given: definition.Definition) -> None:
    assert given.machine is not None
    chart = state_machines.chart(given.machine)

    picture = pictured(chart)

    states = [piece.vertex.id for piece in picture.pieces if piece.vertex is not None]
    assert sorted(states) == sorted(given.machine.states)
    moves = [piece.transition for piece in picture.pieces if piece.role == "transition"]
    assert len(moves) == len(set(moves))
    assert set(moves) == {edge.transition for edge in chart.edges}
    for one, other in combinations(picture.pieces, 2):
        assert apart(one.frame, other.frame)


@given(definitions())
def test_the_same_definition_is_always_drawn_the_same(given: definition.Definition) -> None:
    assert pictured(flows.chart(Graph(given))) == pictured(flows.chart(Graph(given)))


def test_everything_is_inside_the_picture_and_undos_have_a_lane_of_their_own() -> None:
    undo = {"compensate": {"activity": "core.undo"}}
    chart = charted([echo("a", **undo), echo("b", needs=["a"], **undo), echo("c", needs=["a"], **undo), echo("d")])

    picture = pictured(chart)

    assert picture.lane is not None
    frames = [piece.frame for piece in (*picture.pieces, *picture.undos)]
    assert all(within(frame, Frame(x=0, y=0, width=picture.width, height=picture.height)) for frame in frames)
    assert [undo.vertex.id for undo in picture.undos if undo.vertex] == ["a", "b", "c"]
    assert all(within(undo.frame, picture.lane) for undo in picture.undos)
    assert all(piece.frame.right < picture.lane.x for piece in picture.pieces)
    assert all(apart(one.frame, other.frame) for one, other in combinations(picture.undos, 2))


def test_many_equal_steps_side_by_side_stand_in_one_frame_with_one_link_in_and_one_out() -> None:
    wide = [echo(f"w{n}", needs=["first"]) for n in range(40)]
    chart = charted([echo("first"), *wide, echo("last", needs=[each["id"] for each in wide])])

    picture = pictured(chart)

    (side,) = (piece for piece in picture.pieces if piece.role == "side")
    assert side.name == "40 side by side"
    assert {(line.source, line.target) for line in picture.lines} == {("first", f"{SIDE}w0"), (f"{SIDE}w0", "last")}
    assert picture.width < 1600
    check_places(chart, drawn(chart))


def test_of_too_many_steps_blocks_stay_closed_until_they_are_opened() -> None:
    def block(number: int) -> dict[str, Any]:
        inside = [echo(f"b{number}_{n}") for n in range(20)]
        return {"id": f"b{number}", "foreach": {"items": "input.items", "steps": inside}}

    chart = charted([block(number) for number in range(20)])

    closed = {piece.vertex.id: piece.inside for piece in pictured(chart).pieces if piece.vertex and piece.inside}
    opened = pictured(chart, opened=["b19"])

    assert closed
    assert set(closed.values()) == {20}
    assert "b19" in closed
    assert len(pictured(chart).pieces) <= MOST_BOXES
    assert "b19_0" in {piece.vertex.id for piece in opened.pieces if piece.vertex}


def test_a_block_inside_closed_ones_is_opened_with_those_around_it() -> None:
    inner = {"id": "inner", "foreach": {"items": "input.items", "steps": [echo("deep")]}}
    many = [echo(f"s{n}") for n in range(MOST_BOXES)]
    chart = charted([*many, {"id": "outer", "loop": {"times": 2, "steps": [inner]}}])

    shown = {piece.vertex.id for piece in pictured(chart, opened=["inner"]).pieces if piece.vertex}

    assert "deep" not in {piece.vertex.id for piece in pictured(chart).pieces if piece.vertex}
    assert {"outer", "inner", "deep"} <= shown


def test_a_list_without_end_is_not_drawn_and_an_unknown_block_opens_nothing() -> None:
    chart = charted([echo(f"s{n}") for n in range(1_001)])
    small = charted([echo("a")])

    assert draw(chart) is None
    assert draw(small, opened=["nobody", ""]) == draw(small)


def test_a_list_that_is_too_densely_linked_is_not_drawn() -> None:
    first = [echo(f"a{n}", needs=[]) for n in range(65)]
    # Each waits for another choice of the first ones, so that no two of them are equal.
    second = [echo(f"b{n}", needs=[each["id"] for k, each in enumerate(first) if k != n]) for n in range(65)]

    assert draw(charted([*first, *second])) is None


def test_no_more_is_opened_than_a_picture_can_hold() -> None:
    def block(number: int) -> dict[str, Any]:
        inside = [echo(f"b{number}_{n}") for n in range(400)]
        return {"id": f"b{number}", "foreach": {"items": "input.items", "steps": inside}}

    pieces = pictured(charted([block(n) for n in range(4)]), opened=["b0", "b1", "b2", "b3"]).pieces

    assert [piece.vertex.id for piece in pieces if piece.vertex and piece.inside] == ["b2", "b3"]


def test_long_names_are_cut_to_their_boxes_and_kept_whole() -> None:
    chart = charted([echo("a", name="漢字" * 90), echo("b", name="words " * 33)])

    pieces = pictured(chart).pieces

    assert all(len(piece.name) < 40 and piece.name.endswith("…") for piece in pieces)
    assert all(len(piece.full) >= 180 for piece in pieces)


def test_the_data_tells_beginnings_ends_conditions_and_states() -> None:
    chart = charted([echo("a"), echo("b", when="input.big"), {"id": "c", "choice": [{"steps": [echo("d")]}]}])

    data = json.loads(json.dumps(chart.as_dict({"a": "completed"})))

    nodes = {node["id"]: node for node in data["nodes"]}
    assert [name for name, node in nodes.items() if node["isInitial"]] == ["a"]
    assert [name for name, node in nodes.items() if node["isTerminal"]] == ["c"]
    assert nodes["d"]["parent"] == "c"
    assert (nodes["a"]["state"], nodes["b"]["state"]) == ("completed", "pending")
    assert [(edge["source"], edge["target"], edge["hasCondition"]) for edge in data["edges"]] == [
        ("a", "b", True),
        ("b", "c", False),
    ]
    assert "state" not in chart.as_dict()["nodes"][0]


def test_the_data_of_a_state_machine_has_its_events_and_actions() -> None:
    parsed = definition.parse(
        {
            "workflow": "m",
            "version": "1.0.0",
            "kind": "state_machine",
            "initial": "open",
            "states": {"open": {"timeout": "2h", "on_timeout": "shut"}, "shut": {"terminal": True}},
            "transitions": [
                {"from": "open", "to": "shut", "event": "go", "when": "true", "do": [{"activity": "core.echo"}]}
            ],
        }
    )
    assert parsed.machine is not None

    data = state_machines.chart(parsed.machine).as_dict()

    assert [(node["id"], node["isInitial"], node["isTerminal"]) for node in data["nodes"]] == [
        ("open", True, False),
        ("shut", False, True),
    ]
    assert [(edge["event"], edge["hasCondition"], edge["hasActions"]) for edge in data["edges"]] == [
        ("go", True, True),
        ("after 2h", False, False),
    ]
