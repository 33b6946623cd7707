"""The graph: every definition becomes nodes whose relations agree with one another."""

from __future__ import annotations

from hypothesis import given, settings

from tests.strategies.definitions import definitions
from workflows_app.engine.definition import parse
from workflows_app.engine.graph import REACH_LIMIT, Graph
from workflows_app.engine.node import LONG_QUEUE, NodeKind

drawn = definitions(max_steps=20, events=True, people=True)
quick = settings(deadline=None)


@quick
@given(drawn)
def test_needs_and_successors_are_each_others_inverse_and_stay_in_one_list(definition):
    graph = Graph(definition)

    for path, node in graph.nodes.items():
        for need in node.needs:
            assert path in graph[need].successors
            assert graph[need].parent == node.parent
        for successor in node.successors:
            assert path in graph[successor].needs


@quick
@given(drawn)
def test_every_node_lies_in_its_parents_children_once_and_descendants_cover_all(definition):
    graph = Graph(definition)

    for path, node in graph.nodes.items():
        siblings = graph.roots if node.parent is None else graph[node.parent].children
        assert siblings.count(path) == 1
    assert sorted(n.path for n in graph.descendants(None)) == sorted(graph.nodes)


@quick
@given(drawn)
def test_a_prediction_names_the_node_its_successors_and_the_blocks_around(definition):
    graph = Graph(definition)

    for path, node in graph.nodes.items():
        reach = graph.reach(path)
        assert path in reach.paths
        assert reach.values <= reach.paths
        if len(reach.paths) < REACH_LIMIT:
            assert set(node.successors) <= reach.paths


def test_long_attempts_go_to_the_queue_for_long_work_unless_a_queue_is_named():
    steps = [
        {"id": "short", "activity": "core.echo"},
        {"id": "long", "activity": "core.echo", "timeout": "61s"},
        {"id": "own", "activity": "core.echo", "timeout": "1h", "queue": "mine"},
    ]
    graph = Graph(parse({"workflow": "w", "version": "1.0.0", "steps": steps}))

    assert [graph[path].queue for path in ("short", "long", "own")] == ["default", LONG_QUEUE, "mine"]


def test_a_chain_of_a_thousand_steps_is_predicted_one_step_ahead():
    steps = [{"id": f"s{n}", "activity": "core.echo"} for n in range(1000)]
    graph = Graph(parse({"workflow": "w", "version": "1.0.0", "steps": steps}))

    assert graph.reach("s500").paths == {"s500", "s501"}


def test_branches_are_nodes_of_their_own_without_being_steps():
    branches = {"l": [{"id": "a", "activity": "core.echo"}], "r": [{"id": "b", "activity": "core.echo"}]}
    document = {"workflow": "w", "version": "1.0.0", "steps": [{"id": "p", "parallel": {"branches": branches}}]}
    graph = Graph(parse(document))

    assert graph["l"].kind is NodeKind.BRANCH
    assert graph["p"].children == ("l", "r")
    assert graph["a"].parent == "l"
