"""Surveying: the canvases of a whole definition, for people: what goes out first, and what the engine sends next.

Each canvas is compiled as at run time, from the frontier that its beginning has. Conditions are taken to hold, and
every case of a choice is looked at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from workflows_app.engine.canvas import compiling
from workflows_app.engine.canvas.plans import Plan, tasks, width
from workflows_app.engine.canvas.regions import FIRST, HandOver
from workflows_app.engine.canvas.sizes import Weight, weigh
from workflows_app.engine.commands import Dispatch
from workflows_app.engine.definition.model import ChoiceBody, Join
from workflows_app.engine.graph import Graph
from workflows_app.engine.node import Node, NodeKind

NAMES = 3
"""How many steps are named before they are only counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """One canvas of a definition.

    Args:
        number: its place in the survey, from 1.
        begins: when it is sent, for people.
        plan: its messages.
        weight: their sizes.
        ends: where it hands over to the engine, each with the numbers of the canvases that the engine sends then.
    """

    number: int
    begins: str
    plan: Plan
    weight: Weight
    ends: tuple[tuple[HandOver, tuple[int, ...]], ...]

    @property
    def steps(self) -> int:
        return sum(len(task.steps) for task in tasks(self.plan))

    @property
    def messages(self) -> int:
        return sum(1 for _ in tasks(self.plan))

    @property
    def width(self) -> int:
        return width(self.plan)


def survey(graph: Graph, *, fusing: bool = True, limit_bytes: int = compiling.LIMIT_BYTES) -> tuple[Canvas, ...]:
    """Return the canvases of a definition, that of its start first; none if no step ever leaves the engine."""
    return _Survey(graph, fusing, limit_bytes).run()


@dataclass(frozen=True, slots=True)
class _Opening:
    """Nodes whose turn comes in one decision.

    Args:
        leads: gets the numbers of the canvases that come of it.
        through: the openings that lead here without a message in between.
    """

    nodes: tuple[str, ...]
    begins: str
    leads: list[int]
    through: tuple[_Opening, ...] = ()


class _Survey:
    def __init__(self, graph: Graph, fusing: bool, limit_bytes: int) -> None:
        self.graph = graph
        self.fusing = fusing
        self.limit_bytes = limit_bytes
        self.canvases: list[Canvas] = []
        self.openings: deque[_Opening] = deque()
        self.later: deque[_Opening] = deque()
        self.leads: dict[str, list[int]] = {}

    def run(self) -> tuple[Canvas, ...]:
        self._open((path for path in self.graph.roots if not self.graph[path].needs), "at the start")
        while self.openings or self.later:
            opening = (self.openings or self.later).popleft()
            frontier = self._enter(opening)
            if frontier:
                self._compile(frontier, opening)
        return tuple(
            replace(each, ends=tuple((over, self._leads_to(over)) for over, _ in each.ends)) for each in self.canvases
        )

    def _open(self, nodes: Iterable[str], begins: str, through: tuple[_Opening, ...] = ()) -> None:
        self.openings.append(_Opening(tuple(nodes), begins, [], through))

    def _leads_to(self, over: HandOver) -> tuple[int, ...]:
        nodes = {node for path in over.after for node in self._after(path)}
        return tuple(sorted({number for node in nodes for number in self.leads.get(node, ())}))

    # ------------------------------------------------------------ what one decision enters
    def _enter(self, opening: _Opening) -> list[str]:
        """Return the steps that a decision sends; what it enters later, or elsewhere, becomes an opening of its own."""
        frontier: list[str] = []
        todo = deque(opening.nodes)
        while todo:
            path = todo.popleft()
            if path in self.leads:
                continue
            node = self.graph[path]
            self.leads[path] = opening.leads
            passed = node.step.disabled and node.kind is not NodeKind.BRANCH
            match None if passed else node.kind:
                case NodeKind.ACTIVITY:
                    frontier.append(path)
                case NodeKind.PARALLEL | NodeKind.BRANCH:
                    todo.extend(child for child in node.children if not self.graph[child].needs)
                case NodeKind.CHOICE:
                    self._open_cases(node, opening)
                case NodeKind.WAIT:
                    self._open_after((path,), opening, f"when the wait `{path}` is over")
                case NodeKind.RETURN | NodeKind.FAIL:
                    pass
                case _:
                    todo.extend(each for each in node.successors if len(self.graph[each].needs) == 1)
                    self._open_after((path,), opening)
        return frontier

    def _open_cases(self, node: Node, opening: _Opening) -> None:
        body = node.step.body
        assert isinstance(body, ChoiceBody)
        for number, (case, children) in enumerate(zip(body.cases, node.lists, strict=True), start=1):
            condition = "otherwise" if case.when is None else f"if {case.when}"
            roots = (child for child in children if not self.graph[child].needs)
            self._open(roots, f"case {number} of `{node.path}`, {condition}", (opening, *opening.through))
        # What no case leads to follows all the same where none holds.
        self.later.append(_Opening(self._after(node.path), self._after_node(node.path), []))

    def _open_after(self, paths: Sequence[str], opening: _Opening | None = None, begins: str = "") -> None:
        """Open what comes after nodes: together what waits for one of them alone, blocks and joins one by one.

        Args:
            opening: the one that the nodes are in, where the engine passes them without a message.
            begins: when that is, unless it goes without saying.
        """
        through = () if opening is None else (opening, *opening.through)
        together: dict[str, list[str]] = {}
        joins: dict[str, None] = {}
        for path in paths:
            following, block = self._after(path), self._ended(path)
            for node in following:
                if len(self.graph[node].needs) > 1:
                    joins[node] = None
                else:
                    together.setdefault(begins or self._after_node(block or path), []).append(node)
        for each, nodes in together.items():
            self._open(nodes, each, through)
        for node in joins:
            self._open_join(node)

    def _open_join(self, path: str) -> None:
        """Open a node that waits for several; one of which a need is still to be entered is led to again from there."""
        node = self.graph[path]
        if node.join is Join.ANY:
            self._open((path,), f"`{path}`, with the first of its needs")
            return
        known = all(need in self.leads for need in node.needs)
        opening = _Opening((path,), f"`{path}`, when all that it waits for has settled", [])
        (self.openings if known else self.later).append(opening)

    def _after_node(self, path: str) -> str:
        kind = {NodeKind.CHOICE: "the choice ", NodeKind.PARALLEL: "the block "}.get(self.graph[path].kind, "")
        return f"after {kind}`{path}`"

    def _after(self, path: str) -> tuple[str, ...]:
        """Return the nodes that a node's settling may let begin, be it as the last one of its block."""
        return self.graph[self._ended(path) or path].successors

    def _ended(self, path: str) -> str | None:
        """Return the outermost block that a node may end."""
        node, ended = self.graph[path], None
        while not node.successors and node.parent is not None:
            node = self.graph[node.parent]
            ended = node.path
        return ended

    # ------------------------------------------------------------ canvases
    def _compile(self, frontier: Sequence[str], opening: _Opening) -> None:
        dispatches = [self._dispatch(self.graph[path]) for path in frontier]
        region = compiling.region(self.graph, dispatches, fusing=self.fusing, limit_bytes=self.limit_bytes)
        number = len(self.canvases) + 1
        for each in (opening, *opening.through):
            each.leads.append(number)
        for task in tasks(region.plan):
            for path in task.steps:
                self.leads.setdefault(path, [number])
                for container in self.graph.ancestors(path):
                    self.leads.setdefault(container.path, [number])
        ends = tuple((over, ()) for over in region.hand_overs)
        self.canvases.append(
            Canvas(number=number, begins=opening.begins, plan=region.plan, weight=weigh(region.plan), ends=ends)
        )
        for over in region.hand_overs:
            self._open_after(over.after)

    def _dispatch(self, node: Node) -> Dispatch:
        return Dispatch(step=node.path, generation=FIRST, queue=node.queue, timeout=node.timeout)


def named(paths: Sequence[str]) -> str:
    """Name a few steps, or count many.

    >>> named(["a", "b"]), named(["a"] * 9)
    ('`a` and `b`', '9 steps')
    """
    if len(paths) > NAMES:
        return f"{len(paths)} steps"
    *others, last = (f"`{path}`" for path in paths)
    return f"{', '.join(others)} and {last}" if others else last
