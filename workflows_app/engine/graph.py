"""The graph: a definition flattened into nodes with their needs, successors, containers and compiled expressions.

A node is a step, or a branch of a ``parallel`` (kind ``branch``), whose children are the steps written in it. Blocks
(``choice``, ``parallel``, ``branch``) are containers: they open, wait for their children, and settle when all have.
A graph is built once per published version and cached by the shells; nothing in it depends on an instance.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from workflows_app.engine import expressions
from workflows_app.engine.definition.model import (
    ActivityBody,
    ChoiceBody,
    Definition,
    FailBody,
    Join,
    Kind,
    OnError,
    ParallelBody,
    Retry,
    ReturnBody,
    SetBody,
    Step,
    WaitBody,
)
from workflows_app.engine.expressions import Expression, Reference, Value

DEFAULT_TIMEOUT = 60.0
"""Seconds that an attempt may take where neither the step nor ``defaults`` says."""
LONG_AFTER = 60.0
"""Attempts that may take longer than this many seconds go to the queue for long work."""
DEFAULT_QUEUE = "default"
LONG_QUEUE = "long"
REACH_LIMIT = 256
"""How many nodes one prediction of a decision's reach may name."""


class NodeKind(StrEnum):
    ACTIVITY = "activity"
    SET = "set"
    CHOICE = "choice"
    PARALLEL = "parallel"
    BRANCH = "branch"
    WAIT = "wait"
    RETURN = "return"
    FAIL = "fail"


CONTAINERS = frozenset({NodeKind.CHOICE, NodeKind.PARALLEL, NodeKind.BRANCH})


@dataclass(frozen=True, kw_only=True)
class Node:
    """One node; compiled expressions are made at first use and kept.

    Args:
        path: unique name in the definition; the step's path in results and history.
        order: place in document order, from 0.
        parent: path of the enclosing container, ``None`` on the outermost list.
        needs: paths in the same list that must settle first.
        successors: the inverse of ``needs``.
        lists: for a container, the paths of its children by case (``choice``), all branches in one (``parallel``),
            or the branch's steps; document order.
        step: the step definition; for a branch, the ``parallel`` step that it belongs to.
        retry: the effective retry policy of the action; ``None`` grants one attempt.
        timeout: seconds per attempt of the action.
    """

    path: str
    kind: NodeKind
    order: int
    parent: str | None
    needs: tuple[str, ...]
    successors: tuple[str, ...]
    lists: tuple[tuple[str, ...], ...]
    step: Step
    retry: Retry | None
    timeout: float

    @property
    def is_container(self) -> bool:
        return self.kind in CONTAINERS

    @property
    def join(self) -> Join:
        """How many of ``needs`` the node waits for; a branch has none."""
        return Join.ALL if self.kind is NodeKind.BRANCH else self.step.join

    @property
    def race(self) -> bool:
        """Whether this is a ``parallel`` that is decided by the first branch to complete."""
        return self.kind is NodeKind.PARALLEL and self._decided_by_one

    @property
    def racer(self) -> bool:
        """Whether this is a branch of a race."""
        return self.kind is NodeKind.BRANCH and self._decided_by_one

    @property
    def _decided_by_one(self) -> bool:
        return isinstance(self.step.body, ParallelBody) and self.step.body.join is Join.ANY

    @property
    def on_error(self) -> OnError:
        return OnError.FAIL if self.kind is NodeKind.BRANCH else self.step.on_error

    @property
    def queue(self) -> str:
        return self.step.queue or (LONG_QUEUE if self.timeout > LONG_AFTER else DEFAULT_QUEUE)

    @property
    def undo_timeout(self) -> float:
        undo = self.step.compensate
        return undo.timeout if undo and undo.timeout else self.timeout

    @property
    def undo_retry(self) -> Retry | None:
        undo = self.step.compensate
        return undo.retry if undo and undo.retry else self.retry

    @cached_property
    def children(self) -> tuple[str, ...]:
        return tuple(child for paths in self.lists for child in paths)

    @cached_property
    def when(self) -> Expression | None:
        return _expression(None if self.kind is NodeKind.BRANCH else self.step.when)

    @cached_property
    def cases(self) -> tuple[Expression | None, ...]:
        body = self.step.body
        return tuple(_expression(case.when) for case in body.cases) if isinstance(body, ChoiceBody) else ()

    @cached_property
    def value(self) -> Value:
        """What the step evaluates when it is entered: parameters, assignments, an output, a message, or a time."""
        body = self.step.body
        match body:
            case ActivityBody():
                return expressions.compile_value(dict(body.parameters))
            case SetBody():
                return expressions.compile_value(dict(body.assignments))
            case ReturnBody():
                return expressions.compile_value(body.output)
            case FailBody():
                return expressions.compile_value(body.message)
            case WaitBody():
                return expressions.compile_value(body.until if body.until is not None else body.duration)
            case _:
                return expressions.compile_value(None)

    @cached_property
    def undo_parameters(self) -> Value:
        undo = self.step.compensate
        return expressions.compile_value(dict(undo.parameters) if undo else None)

    @cached_property
    def error_output(self) -> Value:
        return expressions.compile_value(self.step.on_error_output)

    @cached_property
    def retry_when(self) -> Expression | None:
        return _expression(self.retry.when if self.retry else None)

    @cached_property
    def undo_retry_when(self) -> Expression | None:
        return _expression(self.undo_retry.when if self.undo_retry else None)

    @cached_property
    def reads(self) -> frozenset[Reference]:
        """Everything that entering the node may read; what only a failure reads is left out."""
        found: set[Reference] = set()
        if self.kind is not NodeKind.BRANCH:
            found |= self.value.reads
            for expression in (self.when, *self.cases):
                if expression is not None:
                    found |= expression.reads
        return frozenset(found)

    @cached_property
    def read_steps(self) -> frozenset[str]:
        return frozenset(r.name for r in self.reads if r.root == "steps" and r.name is not None)

    @cached_property
    def reads_input(self) -> bool:
        return any(r.root == "input" for r in self.reads)


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
    """

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.nodes: Mapping[str, Node] = {node.path: node for node in _flatten(definition)}
        self.roots: tuple[str, ...] = tuple(p for p, n in self.nodes.items() if n.parent is None)
        self.output: Value = expressions.compile_value(definition.output)
        self._reach: dict[str | None, Reach] = {}

    def __getitem__(self, path: str) -> Node:
        return self.nodes[path]

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


def _expression(source: str | None) -> Expression | None:
    return None if source is None else expressions.compile_expression(source)


def _flatten(definition: Definition) -> Iterator[Node]:
    counter = iter(range(10**9))

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
                timeout=step.timeout or (definition.default_timeout if activity else None) or DEFAULT_TIMEOUT,
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
