"""Surveying: the canvases of a whole definition, for people: what goes out first, and what the engine sends next.

Each canvas is compiled as at run time, from the frontier that its beginning has. Conditions are taken to hold, every
case of a choice is looked at, and every transition of a state machine, and of what repeats, one iteration.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from workflows_app.engine.canvas import compiling
from workflows_app.engine.canvas.naming import BLOCKS, ITERATION, shown
from workflows_app.engine.canvas.plans import Plan, tasks, width
from workflows_app.engine.canvas.regions import FIRST, HandOver
from workflows_app.engine.canvas.sizes import Weight, weigh
from workflows_app.engine.commands import Dispatch
from workflows_app.engine.definition.model import ChoiceBody
from workflows_app.engine.graph import Graph
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.paths import chosen


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
        self.passed: list[tuple[str, _Opening]] = []

    def run(self) -> tuple[Canvas, ...]:
        machine = self.graph.definition.machine
        if machine is None:
            self._open((path for path in self.graph.roots if not self.graph[path].needs), "at the start")
        for transition in machine.transitions if machine else ():
            # What a transition consists of is the same each time: the first one stands for all.
            names = ", ".join(f"`{source}`" for source in transition.sources)
            condition = f", if {transition.when}" if transition.when else ""
            begins = f"when `{transition.event}` comes in {names}{condition}"
            self._open(self.graph[f"{transition.id}[0]"].children[:1], begins)
        while self.openings or self.later:
            opening = (self.openings or self.later).popleft()
            frontier = self._enter(opening)
            if frontier:
                self._compile(frontier, opening)
        for path, opening in self.passed:
            again = [number for node in self._again(path) for number in self.leads.get(node, ())]
            for each in (opening, *opening.through):
                each.leads.extend(again)
        return tuple(
            replace(each, ends=tuple((over, self._leads_to(over)) for over, _ in each.ends)) for each in self.canvases
        )

    def _open(self, nodes: Iterable[str], begins: str, through: tuple[_Opening, ...] = ()) -> None:
        self.openings.append(_Opening(tuple(nodes), begins, [], through))

    def _leads_to(self, over: HandOver) -> tuple[int, ...]:
        nodes = {node for path in over.after for node in (*self._after(path), *self._again(path))}
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
            passed = node.step.disabled and not node.is_part
            match None if passed else node.kind:
                case NodeKind.ACTIVITY:
                    frontier.append(path)
                case NodeKind.PARALLEL | NodeKind.BRANCH:
                    todo.extend(child for child in node.children if not self.graph[child].needs)
                case NodeKind.CHOICE:
                    self._open_cases(node, opening)
                case NodeKind.FOREACH | NodeKind.LOOP:
                    self._open_iteration(node, opening)
                case NodeKind.ADHOC:
                    self._open_choices(node)
                case NodeKind.WAIT:
                    self.passed.append((path, opening))
                    self._open_after((path,), opening, f"when the wait `{shown(path)}` is over")
                case NodeKind.RECEIVE:
                    self.passed.append((path, opening))
                    self._open_after((path,), opening, f"when `{shown(path)}` has received its event")
                case NodeKind.CALL if node.awaits_child:
                    self.passed.append((path, opening))
                    self._open_after((path,), opening, f"when what `{shown(path)}` called has ended")
                case NodeKind.RETURN | NodeKind.FAIL:
                    pass
                case _:
                    self.passed.append((path, opening))
                    todo.extend(each for each in node.successors if len(self.graph[each].needs) == 1)
                    self._open_after((path,), opening)
        return frontier

    def _open_cases(self, node: Node, opening: _Opening) -> None:
        body = node.step.body
        assert isinstance(body, ChoiceBody)
        for number, (case, children) in enumerate(zip(body.cases, node.lists, strict=True), start=1):
            condition = "otherwise" if case.when is None else f"if {case.when}"
            roots = (child for child in children if not self.graph[child].needs)
            self._open(roots, f"case {number} of `{shown(node.path)}`, {condition}", (opening, *opening.through))
        # What no case leads to follows all the same where none holds.
        self.later.append(_Opening(self._after(node.path), self._after_node(node.path), []))

    def _open_iteration(self, node: Node, opening: _Opening) -> None:
        what = "for each item of" if node.kind is NodeKind.FOREACH else "in each iteration of"
        self._open(self._begun_by(node), f"{what} `{shown(node.path)}`", (opening, *opening.through))
        # What follows the block does so too where nothing inside leads to its end.
        self.later.append(_Opening(self._after(node.path), self._after_node(node.path), []))

    def _open_choices(self, node: Node) -> None:
        for member in node.adhoc.steps:
            path = f"{chosen(node.path, member.id)}{ITERATION}"
            self._open(self.graph[path].children, f"when somebody picks `{member.id}` in `{shown(node.path)}`")
        self.later.append(_Opening(self._after(node.path), self._after_node(node.path), []))

    def _begun_by(self, repeat: Node) -> tuple[str, ...]:
        """Return the nodes with which an iteration begins."""
        children = self.graph[repeat.path + ITERATION].children
        return tuple(child for child in children if not self.graph[child].needs)

    def _open_after(self, paths: Sequence[str], opening: _Opening | None = None, begins: str = "") -> None:
        """Open what comes after nodes: together what waits for one of them alone, blocks and joins one by one.

        Args:
            opening: the one that the nodes are in, where the engine passes them without a message.
            begins: when that is, unless it goes without saying or they come after all iterations of a block.
        """
        through = () if opening is None else (opening, *opening.through)
        together: dict[str, list[str]] = {}
        joins: dict[str, None] = {}
        for path in paths:
            following, block = self._after(path), self._ended(path)
            last = any(True for _ in self._again(path))
            for node in following:
                if len(self.graph[node].needs) > 1:
                    joins[node] = None
                else:
                    when = begins if begins and not last else self._after_node(block or path)
                    together.setdefault(when, []).append(node)
        for each, nodes in together.items():
            self._open(nodes, each, through)
        for node in joins:
            self._open_join(node)

    def _open_join(self, path: str) -> None:
        """Open a node that waits for several; one of which a need is still to be entered is led to again from there."""
        node = self.graph[path]
        if not node.waits_for_all:
            self._open((path,), f"`{shown(path)}`, with the first of its needs")
            return
        known = all(need in self.leads for need in node.needs)
        opening = _Opening((path,), f"`{shown(path)}`, when all that it waits for has settled", [])
        (self.openings if known else self.later).append(opening)

    def _after_node(self, path: str) -> str:
        return f"after {BLOCKS.get(self.graph[path].kind, '')}`{shown(path)}`"

    def _after(self, path: str) -> tuple[str, ...]:
        """Return the nodes that a node's settling may let begin, be it as the last one of its block."""
        return self.graph[self._ended(path) or path].successors

    def _again(self, path: str) -> Iterator[str]:
        """Yield the nodes with which the next iteration begins where a node may end one."""
        node = self.graph[path]
        while not node.successors and node.parent is not None:
            node = self.graph[node.parent]
            # What comes next in a state machine is for the next event to say, in an ad-hoc section for people.
            if node.is_repeat and node.kind not in (NodeKind.MACHINE, NodeKind.ADHOC):
                yield from self._begun_by(node)

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
        ends = tuple((replace(over, why=shown(over.why)), ()) for over in region.hand_overs)
        self.canvases.append(
            Canvas(number=number, begins=opening.begins, plan=region.plan, weight=weigh(region.plan), ends=ends)
        )
        for over in region.hand_overs:
            self._open_after(over.after)

    def _dispatch(self, node: Node) -> Dispatch:
        return Dispatch(step=node.path, generation=FIRST, queue=node.queue, timeout=node.timeout)
