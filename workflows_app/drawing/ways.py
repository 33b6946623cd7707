"""Ways: which links and which branches of a chart instances took, and how many of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from workflows_app.drawing.chart import Chart, Edge


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """How far one instance came.

    Args:
        begun: ids of the steps that something has happened to.
        settled: those of them that are not under way.
        failed: those of them that failed or timed out.
        transitions: ids of the transitions that a state machine went.
    """

    begun: frozenset[str]
    settled: frozenset[str]
    failed: frozenset[str] = frozenset()
    transitions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How many of ``total`` instances came to each step, along each link, and into each branch, by its members."""

    total: int
    steps: Mapping[str, int] = field(default_factory=dict)
    links: Mapping[Edge, int] = field(default_factory=dict)
    branches: Mapping[tuple[str, ...], int] = field(default_factory=dict)

    def share(self, number: int) -> float:
        """Return a number as a share of all instances."""
        return number / self.total if self.total else 0.0


def taken(chart: Chart, edge: Edge, passage: Passage) -> bool:
    """Tell whether an instance went along a link."""
    if chart.is_machine:
        return edge.transition in passage.transitions
    if edge.failure is not None:
        jumped = edge.source in passage.failed and edge.target in passage.begun
        return jumped and passage.begun.isdisjoint(edge.passes)
    return edge.source in passage.settled and edge.target in passage.begun


def counted(chart: Chart, passages: Iterable[Passage]) -> Ways:
    """Return how many instances went which way.

    >>> from workflows_app.drawing.chart import Vertex
    >>> step = Vertex(id="a", name="a", kind="activity"), Vertex(id="b", name="b", kind="activity")
    >>> drawn = Chart(vertices={each.id: each for each in step}, roots=("a",), edges=(Edge(source="a", target="b"),))
    >>> both, one = frozenset({"a", "b"}), frozenset({"a"})
    >>> ways = counted(drawn, [Passage(begun=both, settled=both), Passage(begun=one, settled=frozenset())])
    >>> ways.total, ways.steps["a"], [*ways.links.values()]
    (2, 2, [1])
    """
    total = 0
    steps, links, branches = Counter[str](), Counter[Edge](), Counter[tuple[str, ...]]()
    groups = [group.members for vertex in chart.vertices.values() for group in vertex.groups if group.heading]
    for passage in passages:
        total += 1
        steps.update(passage.begun & chart.vertices.keys())
        links.update(edge for edge in chart.edges if taken(chart, edge, passage))
        branches.update(members for members in groups if not passage.begun.isdisjoint(members))
        if chart.is_machine:
            steps.update(_states(chart, passage))
    return Ways(total=total, steps=steps, links=links, branches=branches)


def _states(chart: Chart, passage: Passage) -> set[str]:
    reached = {edge.target for edge in chart.edges if edge.transition in passage.transitions}
    return reached | {name for name, vertex in chart.vertices.items() if vertex.initial}
