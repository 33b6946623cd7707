"""A state machine as a graph: every transition may stand there any number of times, and nothing else may."""

from __future__ import annotations

from itertools import pairwise

import pytest

from workflows_app.engine.definition import parse
from workflows_app.engine.graph import Graph
from workflows_app.engine.node import NodeKind

DOCUMENT = {
    "workflow": "order",
    "version": "1.0.0",
    "kind": "state_machine",
    "defaults": {"timeout": "5m"},
    "initial": "open",
    "states": {"open": {}, "paid": {"terminal": True}},
    "transitions": [
        {
            "from": "open",
            "to": "paid",
            "event": "order.paid",
            "do": [{"activity": "bank.charge@1.0.0"}, {"activity": "bank.charge", "timeout": "2s"}],
            "then": [{"activity": "mail.move"}],
        },
        {"from": "open", "to": "open", "event": "Order-Paid"},
        {"from": "open", "to": "paid", "event": "machine"},
    ],
}


@pytest.fixture(scope="module")
def graph() -> Graph:
    return Graph(parse(DOCUMENT))


def test_the_machine_is_all_that_an_instance_begins_with(graph):
    assert graph.roots == ("machine",)
    assert set(graph.nodes) == {"machine"}
    assert graph["machine"].kind is NodeKind.MACHINE


def test_actions_and_the_move_stand_in_a_chain(graph):
    around = graph["order_paid[4]"]

    assert around.parent == "machine"
    assert [path.partition(".")[2] for path in around.children] == ["charge", "charge_2", "move", "move_2"]
    for before, after in pairwise(around.children):
        assert graph[before].successors == (after,)
        assert graph[after].needs == (before,)
    assert graph["order_paid[4].move"].kind is NodeKind.MOVE
    assert (graph["order_paid[4].charge"].timeout, graph["order_paid[4].charge_2"].timeout) == (300, 2)


def test_transitions_are_told_apart_by_numbers(graph):
    assert graph["order_paid_2[0]"].children == ("order_paid_2[0].move",)
    assert graph["machine_2[7].move"].parent == "machine_2[7]"


@pytest.mark.parametrize(
    "path",
    [
        "pay", "pay[1]", "order_paid", "order_paid[1].pay", "order_paid[01]", "order_paid[x].charge", "machine[0]",
        "machine.charge", "order_paid[1].order_paid[2]", "order_paid[1].charge[2]", "order_paid[].charge", "", "[1]",
    ],
)  # fmt: skip
def test_no_instance_has_any_other_path(graph, path):
    with pytest.raises(KeyError):
        graph[path]
