"""Plain steps: what follows from their success can be decided in the database, without loading a slice.

``after`` looks only at the graph. What only the stored state knows (a cancel, a join that is now complete) is checked
by ``wf_advance_step``, which refuses, and then ``transitions.decide`` is asked. Both give the same answer where both
apply.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from workflows_app.engine.definition.model import ForeachBody
from workflows_app.engine.graph import Graph
from workflows_app.engine.node import Node, NodeKind

KNOWN_AHEAD = frozenset({"input", "instance", "steps", "secret", "callback"})
"""Names whose values cannot change any more when a step is entered; ``vars`` can, and ``now`` is not known yet.

Of a secret and of the address of a callback only the placeholder is written.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """What may follow from a plain step's success.

    Args:
        around: paths of the containers around the step, inner before outer.
        parent: the innermost of them.
        block: where the step closes its branch with its own output, the parallel block around that branch; the same
            of an iteration and its ``foreach``.
        joins: successors that wait for other steps too; ``join_needs``: for how many each waits in all.
        next: the successor that waits for this step alone.
        last: whether everything else on the outermost list leads to this step: its success may end the instance.
    """

    around: list[str]
    parent: str | None
    block: str | None
    joins: list[str]
    join_needs: list[int]
    next: Node | None
    last: bool


def after(graph: Graph, path: str) -> Plain | None:
    """Say what may follow from the success of a step.

    Args:
        graph: the graph of the instance's version.
        path: an activity step.

    Returns:
        ``None`` if only the engine can say.
    """
    node = graph[path]
    if node.kind is not NodeKind.ACTIVITY or node.step.deadline is not None or node.step.cache is not None:
        return None
    if node.step.result is not None:
        return None
    successors = [graph[p] for p in node.successors]
    alone = [s for s in successors if len(s.needs) == 1]
    joins = [s for s in successors if len(s.needs) > 1]
    if len(alone) > 1 or not all(_may_begin(s) for s in alone):
        return None
    if not all(s.waits_for_all and s.join.deadline is None for s in successors):
        return None
    around = tuple(graph.ancestors(path))
    if any(c.racer for c in around):
        return None
    return Plain(
        around=[c.path for c in around],
        parent=node.parent,
        block=_closed_block(graph, node),
        joins=[s.path for s in joins],
        join_needs=[len(s.needs) for s in joins],
        next=alone[0] if alone else None,
        last=node.parent is None and _ends_all(graph, path) and _known_ahead(graph.output),
    )


def starts(graph: Graph) -> bool:
    """Whether a start does nothing but send steps whose values follow from its input: no part of it needs the time."""
    if graph.definition.concurrency is not None:
        return False
    first = [graph[path] for path in graph.roots if not graph[path].needs]
    return graph.definition.timeout is None and all(_may_begin(node, {"input", "secret", "callback"}) for node in first)


def _may_begin(node: Node, known: Set[str] = KNOWN_AHEAD) -> bool:
    """Whether entering the node does nothing but send it to a worker, with values that are known ahead."""
    written = node.step
    return (
        node.kind is NodeKind.ACTIVITY
        and written.when is None
        and not written.disabled
        and written.deadline is None
        and written.cache is None
        and written.idempotency_key is None
        and _known_ahead(node.value, known)
    )


def _known_ahead(value: Any, known: Set[str] = KNOWN_AHEAD) -> bool:
    return all(reference.root in known for reference in value.reads)


def _closed_block(graph: Graph, node: Node) -> str | None:
    if node.parent is None or node.successors:
        return None
    branch = graph[node.parent]
    if not branch.is_part or branch.children[-1] != node.path:
        return None
    if branch.kind is NodeKind.ITERATION and not _ends_in_passing(branch):
        return None
    return branch.parent if _sole_end(graph, branch.children, node.path) else None


def _ends_in_passing(iteration: Node) -> bool:
    """Whether nothing is looked at when an iteration ends but how many are still open."""
    if not isinstance(iteration.step.body, ForeachBody):
        return False
    return iteration.foreach.collect is None and iteration.foreach.max_concurrency is None


def _ends_all(graph: Graph, path: str) -> bool:
    """Whether the whole outermost list leads to the step, and nothing in it goes on before all it needs has settled."""
    return _sole_end(graph, graph.roots, path) and all(graph[p].waits_for_all for p in graph.roots)


def _sole_end(graph: Graph, paths: tuple[str, ...], path: str) -> bool:
    return [p for p in paths if not graph[p].successors] == [path]
