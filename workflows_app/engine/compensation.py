"""The compensation plan: which steps are undone, and in which order.

Undone are steps with a compensation that completed, by themselves or by their fallback, or whose effect is unknown
because an attempt timed out or was lost. A step that ended with ``on_error: {output}`` completed in name only: it is
undone only if its effect is unknown. A completed call without a compensation of its own is undone by what it called.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping

from workflows_app.engine.graph import Graph
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.paths import indexes, iterations
from workflows_app.engine.snapshot import StepSnapshot
from workflows_app.engine.states import Role, StepState


def needs_undo(node: Node, step: StepSnapshot) -> bool:
    """Say whether a stopped instance must undo this step."""
    if node.undone_by_child:
        # What did not complete has ended by its own plan.
        return step.state is StepState.COMPLETED and step.error is None
    if node.step.compensate is None or node.is_container or step.state is StepState.COMPENSATED:
        return False
    if step.state is StepState.COMPENSATION_FAILED:
        return True
    stands = step.error is None or step.role is Role.FALLBACK
    return step.effect_unknown or (step.state is StepState.COMPLETED and stands)


def plan(graph: Graph, steps: Mapping[str, StepSnapshot]) -> list[str]:
    """Order the undo: a step after every step that depended on it, ties by order of completion, the latest first.

    Args:
        graph: the definition's graph.
        steps: every row of the instance; values need not be loaded.

    Returns:
        Paths, the first to undo first (Garcia-Molina and Salem, *Sagas*, 1987, over a graph instead of a list).
    """
    chosen = {path: steps[path] for path, step in steps.items() if needs_undo(graph[path], step)}
    if graph.definition.machine is not None:
        # One action after the other: the order of completion says it all.
        return sorted(chosen, key=lambda path: -(chosen[path].settled or 0))
    if not chosen:
        return []
    before: dict[Point, list[Point]] = {}
    waiting: dict[Point, int] = {}
    begun = _iterations(graph, chosen)
    inside = (node for paths in begun.values() for path in paths for node in (graph[path], *graph.descendants(path)))
    for node in (*graph.nodes.values(), *inside):
        for point in _points(node):
            followers = list(_followers(graph, node, point, begun))
            waiting[point] = len(followers)
            for follower in followers:
                before.setdefault(follower, []).append(point)
    ready = [_rank(point, chosen) for point, count in waiting.items() if count == 0]
    heapq.heapify(ready)
    order: list[str] = []
    while ready:
        *_, point = heapq.heappop(ready)
        if point[0] in chosen:
            order.append(point[0])
        for earlier in before.get(point, ()):
            waiting[earlier] -= 1
            if waiting[earlier] == 0:
                heapq.heappush(ready, _rank(earlier, chosen))
    return order


Point = tuple[str, bool]
"""A node's path and whether its end is meant; only containers have a beginning of their own."""


def _points(node: Node) -> list[Point]:
    return [(node.path, False), (node.path, True)] if node.is_container else [(node.path, True)]


def _iterations(graph: Graph, chosen: Iterable[str]) -> dict[str, list[str]]:
    """Return, in order, the iterations in which something is undone, by the block that they belong to."""
    begun: dict[str, set[str]] = {}
    for path in chosen:
        for iteration in iterations(path):
            begun.setdefault(graph[iteration].parent or "", set()).add(iteration)
    return {block: sorted(paths, key=lambda path: indexes(path)[-1]) for block, paths in begun.items()}


def _followers(graph: Graph, node: Node, point: Point, begun: Mapping[str, list[str]]) -> Iterator[Point]:
    """Yield the points that must be undone before this one."""
    _, is_end = point
    if not is_end:
        yield (node.path, True)
        for child in begun.get(node.path, ()) if node.is_repeat else node.children:
            yield _beginning(graph[child])
        return
    for successor in node.successors:
        yield _beginning(graph[successor])
    if node.kind is NodeKind.ITERATION and node.item_name is None and node.parent is not None:
        among = begun[node.parent]
        for following in among[among.index(node.path) + 1 :][:1]:
            yield _beginning(graph[following])
    if node.parent is not None:
        yield (node.parent, True)


def _beginning(node: Node) -> Point:
    return (node.path, not node.is_container)


def _rank(point: Point, chosen: Mapping[str, StepSnapshot]) -> tuple[bool, int, Point]:
    """Points without an undo come first: they only hold up what stands before them."""
    step = chosen.get(point[0])
    return (step is not None, -(step.settled or 0) if step else 0, point)
