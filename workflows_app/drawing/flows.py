"""The chart of a flow: its steps with their blocks, which waits for which, and where a failure leads."""

from __future__ import annotations

from collections.abc import Iterator

from workflows_app.drawing.chart import Chart, Edge, Group, Vertex
from workflows_app.engine.definition.model import (
    AdhocBody,
    CallBody,
    ChoiceBody,
    DecideBody,
    EmitBody,
    FailBody,
    ForeachBody,
    LoopBody,
    ReceiveBody,
    ReturnBody,
    SetBody,
    WaitBody,
)
from workflows_app.engine.definition.reactions import ErrorCase
from workflows_app.engine.durations import format_duration
from workflows_app.engine.graph import Graph
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.paths import ITERATION, chosen


def chart(graph: Graph) -> Chart:
    """Return the chart of a flow's graph.

    >>> from workflows_app.engine.definition import parse
    >>> steps = [{"id": "a", "activity": "core.echo"}, {"id": "b", "when": "input.big", "activity": "core.echo"}]
    >>> drawn = chart(Graph(parse({"workflow": "w", "version": "1.0.0", "steps": steps})))
    >>> [(each.source, each.target, each.condition) for each in drawn.edges]
    [('a', 'b', 'input.big')]
    >>> [(each.id, each.initial, each.terminal) for each in drawn.vertices.values()]
    [('a', True, False), ('b', False, True)]
    """
    steps = [node for node in graph.written.values() if not node.is_part]
    vertices = {node.path: _vertex(graph, node) for node in steps}
    edges = tuple(edge for node in steps for edge in (*_edges(node), *_jumps(graph, node)))
    roots = tuple(node.path for node in steps if node.parent is None)
    return Chart(vertices=vertices, roots=roots, edges=edges)


def _edges(node: Node) -> Iterator[Edge]:
    for need in node.needs:
        yield Edge(source=need, target=node.path, condition=node.step.when, inferred=need in node.inferred)


def _jumps(graph: Graph, node: Node) -> Iterator[Edge]:
    """Yield where ``on_error`` goes on, an edge for each target with all failures that lead there."""
    failures: dict[str, list[str]] = {}
    reactions = node.step.on_error
    if reactions.plain.goto is not None:
        failures[reactions.plain.goto] = ["any failure"]
    for case in reactions.cases:
        if case.then.goto is not None:
            failures.setdefault(case.then.goto, []).append(_failure(case))
    for target, words in failures.items():
        yield Edge(source=node.path, target=target, failure="; ".join(words), passes=_passed(graph, node, target))


def _failure(case: ErrorCase) -> str:
    """Say in a few words which failure a case is for."""
    told = [" or ".join(case.codes)] if case.codes else []
    if case.when is not None:
        told.append(f"where {case.when}")
    if case.attempts is not None:
        within = "" if case.attempts.within is None else f" within {format_duration(case.attempts.within)}"
        told.append(f"{case.attempts.at_least} failed attempts{within}")
    return ", ".join(told) or "any other failure"


def _passed(graph: Graph, node: Node, target: str) -> tuple[str, ...]:
    """Return the steps between that cannot begin before a step has settled: a jump over them skips them."""
    lists = (graph.roots,) if node.parent is None else graph.written[node.parent].lists
    siblings = next(steps for steps in lists if node.path in steps)
    waiting = {node.path}
    for path in siblings[siblings.index(node.path) + 1 : siblings.index(target)]:
        inner = graph.written[path]
        waits_for_all = inner.join.quorum is None and inner.join.deadline is None
        if waits_for_all and not waiting.isdisjoint(inner.needs):
            waiting.add(path)
    return tuple(sorted(waiting - {node.path}))


def _vertex(graph: Graph, node: Node) -> Vertex:
    outermost = node.parent is None
    return Vertex(
        id=node.path,
        name=node.step.name or node.path,
        kind=node.kind.value,
        detail=_detail(node),
        parent=_block(graph, node),
        initial=outermost and not node.needs,
        terminal=outermost and not node.successors,
        undo=_undo(node),
        groups=tuple(_groups(graph, node)),
        repeats=node.is_repeat,
    )


def _undo(node: Node) -> str:
    """Say what undoes a step; empty where nothing does."""
    undo = node.step.compensate
    if undo is None:
        return "the called workflow undoes it" if node.undone_by_child else ""
    return undo.activity if undo.when is None else f"{undo.activity} if {undo.when}"


def _block(graph: Graph, node: Node) -> str | None:
    """Return the step that another stands in; branches and iterations are parts of theirs."""
    if node.parent is None:
        return None
    around = graph.written[node.parent]
    return around.step.id if around.is_part else around.path


def _groups(graph: Graph, node: Node) -> Iterator[Group]:
    match node.step.body:
        case ChoiceBody():
            for case in node.step.body.cases:
                heading = "otherwise" if case.when is None else f"when {case.when}"
                yield Group(heading=heading, members=tuple(step.id for step in case.steps))
        case ForeachBody() | LoopBody():
            yield Group(heading="", members=graph.written[node.path + ITERATION].children)
        case AdhocBody():
            members = (graph.written[chosen(node.path, each.id) + ITERATION] for each in node.step.body.steps)
            yield Group(heading="", members=tuple(child for part in members for child in part.children))
        case _ if node.kind is NodeKind.PARALLEL:
            for branch in node.children:
                yield Group(heading=branch, members=graph.written[branch].children)


def _detail(node: Node) -> str:
    """Say in a few words what a step does."""
    body = node.step.body
    match body:
        case ForeachBody():
            return f"for each {body.name}"
        case LoopBody():
            if body.times is not None:
                return f"{body.times} times"
            return f"while {body.condition}" if body.condition is not None else f"until {body.until}"
        case ChoiceBody():
            return "the first that holds"
        case AdhocBody():
            return "people choose"
        case CallBody():
            return str(body.workflow)
        case DecideBody():
            return str(body.table)
        case ReceiveBody() | EmitBody():
            return str(body.event)
        case SetBody():
            return f"sets {', '.join(body.assignments)}"
        case ReturnBody():
            return "ends the instance"
        case FailBody():
            return f"fails with {body.code}"
        case WaitBody():
            return "until a time" if body.until is not None else "for a while"
    return node.activity or ("side by side" if node.kind is NodeKind.PARALLEL else "")
