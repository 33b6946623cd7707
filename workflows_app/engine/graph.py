"""The graph: a definition flattened into nodes with their needs, successors, containers and compiled expressions.

A node is a step, or a branch of a ``parallel`` (kind ``branch``), whose children are the steps written in it. Blocks
(``choice``, ``parallel``, ``branch``) are containers: they open, wait for their children, and settle when all have.
A graph is built once per published version and cached by the shells; nothing in it depends on an instance.

``foreach`` and ``loop`` are containers too; their children are iterations (``each[3]``), in which the steps written
inside stand once more each time (``each[3].square``). These nodes are made when they are asked for: ``graph[path]``
has every path that any instance may come to, ``graph.nodes`` those that each instance has, ``graph.written`` every
step of the document by its id.

The one step of a state machine is such a container as well; see ``machine_nodes``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from workflows_app.engine import expressions
from workflows_app.engine.compensation import Order
from workflows_app.engine.definition.model import Definition
from workflows_app.engine.expressions import Reference, Value
from workflows_app.engine.flattening import flatten
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.paths import ITERATION, indexes, iterations, split

REACH_LIMIT = 256
"""How many nodes one prediction of a decision's reach may name."""
WIDE_JOIN = 8
"""A join of more dependencies is entered once but counted down often: its values are loaded when it is entered."""
KEPT = 1024
"""How many nodes inside iterations, and predictions about them, a graph keeps: they are made again in no time."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What a decision is expected to touch: rows to load, rows whose values it reads, whether it reads the input."""

    paths: frozenset[str]
    values: frozenset[str]
    input: bool


class Graph:
    """The nodes of one definition, by path.

    Args:
        definition: a parsed definition. It should have been verified: an unknown name in ``needs`` raises KeyError,
            a cycle leaves its steps pending for ever.
        activities: what activity names without a version resolved to when the definition was published: name →
            ``{version, timeout}``, the time-out in seconds or ``None``.
        calls: what the workflows that it calls resolved to: see ``callee.Callee.stored``.
    """

    def __init__(
        self,
        definition: Definition,
        activities: Mapping[str, Mapping[str, Any]] | None = None,
        calls: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.definition = definition
        self.activities = activities or {}
        self.written: Mapping[str, Node] = {
            node.path: node for node in flatten(definition, self.activities, calls or {})
        }
        self.nodes: Mapping[str, Node] = {path: node for path, node in self.written.items() if node.depth == 0}
        self.roots: tuple[str, ...] = tuple(p for p, n in self.nodes.items() if n.parent is None)
        self.output: Value = expressions.compile_value(definition.output)
        self._reach: dict[str | None, Reach] = {}
        self._inside: dict[str, Node] = {}
        self._behind: dict[str, frozenset[str]] = {}

    def changed(self, definition: Definition, nodes: Mapping[str, Node]) -> Graph:
        """Return the graph with other times and policies; all else, and what is compiled, is shared.

        Args:
            definition: the same steps under another head.
            nodes: other forms of written nodes, by path.
        """
        made = copy(self)
        made.definition = definition
        if nodes:
            made.written = {**self.written, **nodes}
            made.nodes = {path: made.written[path] for path in self.nodes}
            made._inside = {}
            made.__dict__.pop("undo_order", None)  # it holds nodes
        return made

    def __getitem__(self, path: str) -> Node:
        """Return a node.

        Raises:
            KeyError: no instance can have it.
        """
        node = self.nodes.get(path) or self._inside.get(path)
        if node is None:
            if len(self._inside) >= KEPT:
                self._inside.clear()
            node = self._inside[path] = self._made(path)
        return node

    def __contains__(self, path: str) -> bool:
        """Whether an instance can have a node at this path."""
        try:
            return self[path] is not None
        except (KeyError, ValueError):
            return False

    def _made(self, path: str) -> Node:
        """Make a node inside an iteration of the one that is written."""
        around, name = split(path)
        is_iteration = path == around != ""
        if self.definition.machine is not None:
            written = self.written[f"{around.rpartition('[')[0]}{ITERATION}{path[len(around) :]}"]
            parent = written.parent if is_iteration and written.parent else around
        elif is_iteration:
            above_all, name = split(around.rsplit("[", 1)[0])
            written = self.written[name + ITERATION]
            parent = f"{above_all}.{written.parent}" if above_all else written.parent or ""
        else:
            written = self.written[name]
            above = written.parent or ""
            parent = around if above.endswith(ITERATION) else f"{around}.{above}"
        if written.depth == 0 or written.depth != len(indexes(around)):
            raise KeyError(path)
        above_it = self[parent]
        if not (above_it.is_repeat if is_iteration else path in above_it.children):
            raise KeyError(path)
        return written.placed(path, parent=parent, place=lambda name: f"{around}.{name}")

    def named(self, name: str, reader: str) -> str:
        """Return the path of the step that ``name`` means where the node at ``reader`` reads it.

        Raises:
            KeyError: there is no such step, or it is inside a ``foreach`` or ``loop`` that the reader is not in.
        """
        depth = self.written[name].depth
        around = reader.split(".")[:depth]
        if len(around) < depth or not all(part.endswith("]") for part in around):
            raise KeyError(name)
        return ".".join([*around, name])

    def member(self, name: str) -> str:
        """Return the member of the innermost ad-hoc section around a written step that the step is, or stands in."""
        node = self.written[name]
        while node.parent is not None and not node.parent.endswith(ITERATION):
            node = self.written[node.parent]
        return node.path

    def reads(self, node: Node, references: Iterable[Reference]) -> frozenset[str]:
        """Return the paths of the nodes whose values are read: steps, and iterations for their items."""
        found = {
            self.named(r.name, node.path) for r in references if r.root == "steps" and r.name and r.name in self.written
        }
        if node.depth:
            names = {r.root for r in references}
            found |= {path for path in iterations(node.path) if self[path].item_name in names}
        return frozenset(found)

    def resolve(self, activity: str) -> str:
        """Return ``name@version`` as resolved at publish; a name that carries its version stays as it is."""
        pinned = self.activities.get(activity)
        return f"{activity}@{pinned['version']}" if pinned else activity

    @cached_property
    def undoable(self) -> bool:
        """Whether any step has a compensation: the default of what a failure, a cancel and a time-out do."""
        return any(n.has_undo for n in self.written.values())

    @cached_property
    def undoable_inside(self) -> bool:
        """Whether a step inside a ``foreach`` or ``loop`` has a compensation."""
        return any(n.has_undo for n in self.written.values() if n.depth)

    @cached_property
    def undo_may_be_needless(self) -> bool:
        """Whether the compensation of any step has a condition."""
        return any(n.has_undo and n.undo_when is not None for n in self.written.values())

    @cached_property
    def undo_order(self) -> Order:
        """What is undone before what; that of a state machine is the path that it took."""
        return Order(self.written)

    def undoes(self, policy: str | None) -> bool:
        """Resolve ``on_failure``, ``on_cancel`` or ``on_timeout``: ``compensate``, ``stop``, or silence."""
        return self.undoable if policy is None else policy == "compensate"

    def descendants(self, path: str | None) -> Iterator[Node]:
        """Yield the nodes inside a container (of the whole definition for ``None``), outer before inner.

        Iterations are left out: which there are is for the state to say.
        """
        queue = deque(self.roots if path is None else self[path].children)
        while queue:
            node = self[queue.popleft()]
            yield node
            queue.extend(node.children)

    def behind(self, path: str) -> frozenset[str]:
        """Return the nodes of the same list that wait for one of them, directly or through others."""
        if path not in self._behind:
            found: set[str] = set()
            todo = [path]
            while todo:
                more = set(self[todo.pop()].successors) - found
                found |= more
                todo += more
            self._behind[path] = frozenset(found)
        return self._behind[path]

    def siblings(self, path: str) -> tuple[str, ...]:
        """Return the list of steps that a step is written in."""
        parent = self[path].parent
        lists = (self.roots,) if parent is None else self[parent].lists
        return next(steps for steps in lists if path in steps)

    def ancestors(self, path: str) -> Iterator[Node]:
        """Yield the containers around a node, inner before outer."""
        parent = self[path].parent
        while parent is not None:
            node = self[parent]
            yield node
            parent = node.parent

    def reach(self, path: str | None) -> Reach:
        """Predict what settling ``path`` (``None``: starting) touches, so that one query can load it.

        A prediction, not a bound: a decision that needs more says so (``SliceMiss``) and is taken again.
        """
        found = self._reach.get(path)
        if found is None:
            if len(self._reach) >= len(self.nodes) + KEPT:
                self._reach.clear()
            found = self._reach[path] = self._predict(path)
        return found

    def _predict(self, path: str | None) -> Reach:
        paths: set[str] = set()
        values: set[str] = set()
        reads_input = False
        queue: deque[str] = deque()
        if path is None:
            queue.extend(p for p in self.roots if not self[p].needs)
        else:
            paths.add(path)
            queue.extend(self._after(path, paths, values))
        if path is None or self[path].parent is None:
            reads_input, outputs = self._output_reads(path)
            values |= outputs
        while queue and len(paths) < REACH_LIMIT:
            node = self[queue.popleft()]
            if node.path in paths:
                continue
            paths.add(node.path)
            if len(node.needs) <= WIDE_JOIN:
                values |= self.reads(node, node.reads)
            reads_input = reads_input or node.reads_input
            if node.is_container:
                queue.extend(c for c in node.children if not self[c].needs)
            if self._may_pass(node):
                queue.extend(self._after(node.path, paths, values))
        return Reach(frozenset(paths | values), frozenset(values), reads_input)

    def _after(self, path: str, paths: set[str], values: set[str]) -> Iterable[str]:
        node = self[path]
        if not node.successors:
            for container in self.ancestors(path):
                paths.add(container.path)
                if container.is_repeat:
                    # What comes next, if anything does, is for the state to say.
                    return
                if container.kind is not NodeKind.PARALLEL:
                    values |= {steps[-1] for steps in container.lists if steps and path in steps}
                yield from container.successors
                if container.successors:
                    break
        else:
            paths.update(a.path for a in self.ancestors(path))
        yield from node.successors

    def _output_reads(self, path: str | None) -> tuple[bool, set[str]]:
        """The workflow's own output is read when the last root settles; predict it for roots without successors."""
        if path is not None and self[path].successors:
            return False, set()
        reads = self.output.reads
        names = {r.name for r in reads if r.root == "steps" and r.name in self.nodes}
        return any(r.root == "input" for r in reads), {name for name in names if name is not None}

    @staticmethod
    def _may_pass(node: Node) -> bool:
        """Whether entering the node may settle it in the same decision."""
        if node.kind in (NodeKind.ACTIVITY, NodeKind.WAIT, NodeKind.RECEIVE) or node.awaits_child:
            return node.step.disabled or node.step.when is not None or node.step.cache is not None
        return not node.is_container or node.step.when is not None or node.kind is NodeKind.CHOICE or node.is_repeat
