"""The graph: a definition flattened into nodes with their needs, successors, containers and compiled expressions.

A node is a step, or a branch of a ``parallel`` (kind ``branch``), whose children are the steps written in it. Blocks
(``choice``, ``parallel``, ``branch``) are containers: they open, wait for their children, and settle when all have.
A graph is built once per published version and cached by the shells; nothing in it depends on an instance.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any

from workflows_app.engine import expressions
from workflows_app.engine.definition.model import ActivityBody, ChoiceBody, Definition, Kind, ParallelBody, Step
from workflows_app.engine.expressions import Value
from workflows_app.engine.node import DEFAULT_TIMEOUT, Node, NodeKind

REACH_LIMIT = 256
"""How many nodes one prediction of a decision's reach may name."""
WIDE_JOIN = 8
"""A join of more dependencies is entered once but counted down often: its values are loaded when it is entered."""


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
    """

    def __init__(self, definition: Definition, activities: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self.definition = definition
        self.activities = activities or {}
        self.nodes: Mapping[str, Node] = {node.path: node for node in _flatten(definition, self.activities)}
        self.roots: tuple[str, ...] = tuple(p for p, n in self.nodes.items() if n.parent is None)
        self.output: Value = expressions.compile_value(definition.output)
        self._reach: dict[str | None, Reach] = {}

    def __getitem__(self, path: str) -> Node:
        return self.nodes[path]

    def resolve(self, activity: str) -> str:
        """Return ``name@version`` as resolved at publish; a name that carries its version stays as it is."""
        pinned = self.activities.get(activity)
        return f"{activity}@{pinned['version']}" if pinned else activity

    @cached_property
    def undoable(self) -> bool:
        """Whether any step has a compensation: the default of what a failure, a cancel and a time-out do."""
        return any(n.step.compensate for n in self.nodes.values() if n.kind is not NodeKind.BRANCH)

    def undoes(self, policy: str | None) -> bool:
        """Resolve ``on_failure``, ``on_cancel`` or ``on_timeout``: ``compensate``, ``stop``, or silence."""
        return self.undoable if policy is None else policy == "compensate"

    def descendants(self, path: str | None) -> Iterator[Node]:
        """Yield the nodes inside a container (of the whole definition for ``None``), outer before inner."""
        queue = deque(self.roots if path is None else self.nodes[path].children)
        while queue:
            node = self.nodes[queue.popleft()]
            yield node
            queue.extend(node.children)

    def ancestors(self, path: str) -> Iterator[Node]:
        """Yield the containers around a node, inner before outer."""
        parent = self.nodes[path].parent
        while parent is not None:
            node = self.nodes[parent]
            yield node
            parent = node.parent

    def reach(self, path: str | None) -> Reach:
        """Predict what settling ``path`` (``None``: starting) touches, so that one query can load it.

        A prediction, not a bound: a decision that needs more says so (``SliceMiss``) and is taken again.
        """
        if path not in self._reach:
            self._reach[path] = self._predict(path)
        return self._reach[path]

    def _predict(self, path: str | None) -> Reach:
        paths: set[str] = set()
        values: set[str] = set()
        reads_input = False
        queue: deque[str] = deque()
        if path is None:
            queue.extend(p for p in self.roots if not self.nodes[p].needs)
        else:
            paths.add(path)
            queue.extend(self._after(path, paths, values))
        if path is None or self.nodes[path].parent is None:
            reads_input, outputs = self._output_reads(path)
            values |= outputs
        while queue and len(paths) < REACH_LIMIT:
            node = self.nodes[queue.popleft()]
            if node.path in paths:
                continue
            paths.add(node.path)
            if len(node.needs) <= WIDE_JOIN:
                values |= node.read_steps
            reads_input = reads_input or node.reads_input
            if node.is_container:
                queue.extend(c for c in node.children if not self.nodes[c].needs)
            if self._may_pass(node):
                queue.extend(self._after(node.path, paths, values))
        return Reach(frozenset(paths | values), frozenset(values), reads_input)

    def _after(self, path: str, paths: set[str], values: set[str]) -> Iterable[str]:
        node = self.nodes[path]
        if not node.successors:
            for container in self.ancestors(path):
                paths.add(container.path)
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
        if path is not None and self.nodes[path].successors:
            return False, set()
        reads = self.output.reads
        return any(r.root == "input" for r in reads), {r.name for r in reads if r.root == "steps" and r.name}

    @staticmethod
    def _may_pass(node: Node) -> bool:
        """Whether entering the node may settle it in the same decision."""
        if node.kind in (NodeKind.ACTIVITY, NodeKind.WAIT):
            return node.step.disabled or node.step.when is not None
        return not node.is_container or node.step.when is not None or node.kind is NodeKind.CHOICE


def _flatten(definition: Definition, activities: Mapping[str, Mapping[str, Any]]) -> Iterator[Node]:
    counter = count()

    def default_timeout(step: Step) -> float | None:
        """The definition's default, then the activity's own."""
        if definition.default_timeout is not None or not isinstance(step.body, ActivityBody):
            return definition.default_timeout
        return activities.get(step.body.activity, {}).get("timeout")

    def steps_of(steps: tuple[Step, ...], parent: str | None) -> Iterator[Node]:
        needs = resolve_needs(steps)
        successors: dict[str, list[str]] = {step.id: [] for step in steps}
        for step in steps:
            for need in needs[step.id]:
                successors[need].append(step.id)
        for step in steps:
            order = next(counter)
            lists: tuple[tuple[str, ...], ...] = ()
            match step.body:
                case ChoiceBody():
                    lists = tuple(tuple(s.id for s in case.steps) for case in step.body.cases)
                case ParallelBody():
                    lists = (tuple(step.body.branches),)
            activity = step.kind is Kind.ACTIVITY
            yield Node(
                path=step.id,
                kind=NodeKind(step.kind.value),
                order=order,
                parent=parent,
                needs=needs[step.id],
                successors=tuple(successors[step.id]),
                lists=lists,
                step=step,
                retry=(step.retry or definition.default_retry) if activity else step.retry,
                timeout=step.timeout or (default_timeout(step) if activity else None) or DEFAULT_TIMEOUT,
            )
            match step.body:
                case ChoiceBody():
                    for case in step.body.cases:
                        yield from steps_of(case.steps, step.id)
                case ParallelBody():
                    for name, inner in step.body.branches.items():
                        yield Node(
                            path=name,
                            kind=NodeKind.BRANCH,
                            order=next(counter),
                            parent=step.id,
                            needs=(),
                            successors=(),
                            lists=(tuple(s.id for s in inner),),
                            step=step,
                            retry=None,
                            timeout=DEFAULT_TIMEOUT,
                        )
                        yield from steps_of(inner, name)

    yield from steps_of(definition.steps, None)


def resolve_needs(steps: tuple[Step, ...]) -> dict[str, tuple[str, ...]]:
    """Return the direct dependencies of each step of one list: the written ``needs``, or the step just before."""
    resolved: dict[str, tuple[str, ...]] = {}
    previous: str | None = None
    for step in steps:
        if step.needs is not None:
            resolved[step.id] = tuple(dict.fromkeys(step.needs))
        else:
            resolved[step.id] = (previous,) if previous else ()
        previous = step.id
    return resolved
