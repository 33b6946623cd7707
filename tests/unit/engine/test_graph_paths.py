"""Paths of steps inside ``foreach`` and ``loop``: which an instance can have, what they mean, what they read."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies.definitions import definitions
from workflows_app.engine.definition import parse
from workflows_app.engine.graph import KEPT, Graph
from workflows_app.engine.node import NodeKind
from workflows_app.engine.paths import split

STEPS = [
    {"id": "before", "activity": "core.echo"},
    {
        "id": "each",
        "foreach": {
            "items": "input.numbers",
            "as": "number",
            "steps": [
                {"id": "square", "activity": "core.echo", "with": {"n": "${ number + steps.before.output }"}},
                {"id": "way", "choice": [{"steps": [{"id": "inner", "activity": "core.echo"}]}]},
                {"id": "again", "loop": {"times": 2, "steps": [{"id": "inc", "set": {"n": "${ number }"}}]}},
                {"id": "both", "parallel": {"branches": {"left": [{"id": "one", "activity": "core.echo"}]}}},
            ],
        },
    },
    {"id": "other", "activity": "core.echo"},
]
GRAPH = Graph(parse({"workflow": "w", "version": "1.0.0", "variables": {"n": 0}, "steps": STEPS}))


@pytest.mark.parametrize(
    ("path", "kind", "parent"),
    [
        ("each", "foreach", None),
        ("each[3]", "iteration", "each"),
        ("each[3].square", "activity", "each[3]"),
        ("each[0].inner", "activity", "each[0].way"),
        ("each[0].left", "branch", "each[0].both"),
        ("each[0].one", "activity", "each[0].left"),
        ("each[3].again", "loop", "each[3]"),
        ("each[3].again[12]", "iteration", "each[3].again"),
        ("each[99999].again[12].inc", "set", "each[99999].again[12]"),
    ],
)
def test_a_step_inside_is_found_by_the_path_of_its_iteration(path: str, kind: str, parent: str | None) -> None:
    node = GRAPH[path]

    assert (node.path, node.kind, node.parent) == (path, kind, parent)
    assert GRAPH[path] is node, "it is made once"


def test_neighbours_of_a_step_inside_are_those_of_its_own_iteration() -> None:
    assert GRAPH["each[3]"].children == ("each[3].square", "each[3].way", "each[3].again", "each[3].both")
    assert GRAPH["each[3].way"].needs == ("each[3].square",)
    assert GRAPH["each[3].way"].successors == ("each[3].again",)
    assert GRAPH["each"].successors == ("other",)
    assert [node.path for node in GRAPH.ancestors("each[3].again[1].inc")] == [
        "each[3].again[1]",
        "each[3].again",
        "each[3]",
        "each",
    ]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "elsewhere",
        "square",
        "inc",
        "each[]",
        "[1]",
        "each[03].square",
        "each[].square",
        "each[-1].square",
        "each[1",
        "each[1]square",
        "each[1]..square",
        "each[1].",
        "each[1].square ",
        "each[1].square\n",
        "each[١].square",
        "each[9999999999].square",
        "each[1].elsewhere",
        "each[1].other",
        "each[1].inc",
        "each[1].again.inc",
        "each[1][2].inc",
        "each[1].each[1].square",
        "each[1].again[1].square",
        "each[1].square[1]",
        "each[1].way[0]",
        "each[1].both.left",
        "again[1].inc",
        "other[1]",
        "other[1].square",
        "EACH[1].square",
    ],
)
def test_what_no_instance_can_have_is_refused(path: str) -> None:
    with pytest.raises(KeyError):
        GRAPH[path]


def test_a_name_means_the_step_of_the_readers_own_iteration() -> None:
    assert GRAPH.named("square", "each[3].way") == "each[3].square"
    assert GRAPH.named("square", "each[3].again[1].inc") == "each[3].square"
    assert GRAPH.named("inc", "each[3].again[1]") == "each[3].again[1].inc"
    assert GRAPH.named("before", "each[3].again[1].inc") == "before"


@pytest.mark.parametrize(("name", "reader"), [("square", "other"), ("inc", "each[3].way"), ("nowhere", "other")])
def test_a_name_from_inside_means_nothing_outside(name: str, reader: str) -> None:
    with pytest.raises(KeyError):
        GRAPH.named(name, reader)


def test_an_item_is_read_from_the_iteration_that_has_it() -> None:
    square, inc = GRAPH["each[3].square"], GRAPH["each[3].again[1].inc"]

    assert GRAPH.reads(square, square.reads) == {"before", "each[3]"}
    assert GRAPH.reads(inc, inc.reads) == {"each[3]"}


def test_the_prediction_for_the_last_step_of_an_iteration_ends_at_its_block() -> None:
    reach = GRAPH.reach("each[3].both")

    assert {"each[3].both", "each[3]", "each"} <= reach.paths
    assert not {"other", "each[4]"} & reach.paths


def test_what_is_kept_of_iterations_is_bounded() -> None:
    graph = Graph(parse({"workflow": "w", "version": "1.0.0", "variables": {"n": 0}, "steps": STEPS}))

    for index in range(KEPT):
        assert graph[f"each[{index}].square"].path == f"each[{index}].square"
        assert graph.reach(f"each[{index}].square").paths

    assert len(graph._inside) <= KEPT
    assert len(graph._reach) <= KEPT + len(graph.nodes)


@settings(deadline=None)
@given(definitions(max_steps=20), st.data())
def test_every_node_of_an_iteration_agrees_with_its_neighbours(definition, data) -> None:
    graph = Graph(definition)
    repeats = [path for path, node in graph.nodes.items() if node.is_repeat]
    if not repeats:
        return
    index = data.draw(st.integers(0, 99_999))
    iteration = graph[f"{data.draw(st.sampled_from(repeats))}[{index}]"]

    assert iteration.kind is NodeKind.ITERATION
    for node in graph.descendants(iteration.path):
        assert split(node.path)[0] == iteration.path
        assert node.path in graph[node.parent].children
        for need in node.needs:
            assert node.path in graph[need].successors
        if node.is_repeat:
            assert graph[f"{node.path}[0]"].parent == node.path


def test_what_an_expression_compiles_to_is_made_once_for_all_iterations() -> None:
    step = {"id": "square", "activity": "core.echo", "with": {"n": "${ item * item }"}, "when": "item > 0"}
    each = {"id": "each", "foreach": {"items": "[1, 2]", "steps": [step]}}
    graph = Graph(parse({"workflow": "w", "version": "1.0.0", "steps": [each]}))

    first, later = graph["each[0].square"], graph["each[99999].square"]

    assert first.value is later.value
    assert first.when is later.when


@pytest.mark.parametrize(
    ("path", "there"),
    [("before", True), ("each[3].square", True), ("square", False), ("nobody", False), ("each[x].square", False)],
)
def test_whether_an_instance_can_have_a_step_may_be_asked(path: str, there: bool) -> None:
    assert (path in GRAPH) is there
