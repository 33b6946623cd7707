"""What a definition says for certain before it runs: which steps begin when a step, or several, have settled.

Everything here is about one graph and no instance, and found once: a *gate* is the set of activity steps whose
settling lets something begin. ``follow`` answers for a step: nothing follows (``END``), these steps begin once the gate
is passed (``Go``), or only the engine can tell (``Stop``, with the reason for people).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from workflows_app.engine.graph import Graph
from workflows_app.engine.node import Node, NodeKind

REMEMBERED = 1024
"""How many steps inside iterations are remembered."""
REDUCTION_LIMIT = 512
"""How many nodes one look for needs that say nothing new may visit; beyond it they are all taken as written."""


class Stop(NamedTuple):
    """Only the engine can tell what begins: ``step`` is what it decides, ``why`` says so for people."""

    step: str
    why: str


@dataclass(frozen=True, slots=True)
class Go:
    """When every step of ``gate`` has settled, exactly the steps ``then`` begin, in one transaction.

    ``joins`` are the nodes that wait for the gate: steps, or the blocks that the steps are in.
    """

    gate: frozenset[str]
    then: tuple[str, ...]
    joins: tuple[str, ...]


class End:
    """Nothing follows."""


END = End()
Follow = Go | Stop | End


class Static:
    """What one graph says for certain; answers are kept.

    Args:
        graph: the graph of a version.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._entries: dict[str, tuple[str, ...] | Stop] = {}
        self._gates: dict[str, frozenset[str] | Stop] = {}
        self._settlers: dict[str, frozenset[str] | Stop] = {}
        self._passed: dict[frozenset[str], Go | Stop] = {}
        self._follows: dict[str, Follow] = {}

    def entry(self, path: str) -> tuple[str, ...] | Stop:
        """Return the activity steps that go to the workers when the node's turn has come."""
        found = self._entries.get(path)
        if found is None:
            found = self._entries[path] = self._entry(self.graph[path])
        return found

    def follow(self, path: str) -> Follow:
        """Return what follows from an activity step."""
        found = self._follows.get(path)
        if found is None:
            if self.graph[path].depth:
                self._forget()
            found = self._follows[path] = self._follow(path)
        return found

    def _forget(self) -> None:
        """Keep what is known about iterations, of which there is no end, within bounds."""
        if len(self._follows) > len(self.graph.nodes) + REMEMBERED:
            for kept in (self._entries, self._gates, self._settlers, self._passed, self._follows):
                kept.clear()

    # ------------------------------------------------------------ entering
    def _entry(self, node: Node) -> tuple[str, ...] | Stop:
        if node.kind is not NodeKind.BRANCH:
            if node.step.disabled:
                return Stop(node.path, f"`{node.path}` is disabled: the engine passes over it")
            if node.step.when is not None:
                return Stop(node.path, f"`{node.path}` has a condition: the engine decides when it is reached")
            if node.step.cache is not None:
                return Stop(node.path, f"`{node.path}` may have a cached result: the engine looks when it is reached")
        match node.kind:
            case NodeKind.ACTIVITY:
                return (node.path,)
            case NodeKind.PARALLEL | NodeKind.BRANCH if not node.race:
                begun: list[str] = []
                for child in node.children:
                    if self.graph[child].needs:
                        continue
                    inner = self.entry(child)
                    if isinstance(inner, Stop):
                        return inner
                    begun += inner
                return tuple(begun)
            case _:
                return Stop(node.path, f"`{node.path}` {DECIDED[node.kind]}")

    # ------------------------------------------------------------ following
    def _follow(self, path: str) -> Follow:
        waiting = self._waiting(path)
        if isinstance(waiting, Stop):
            return waiting
        if not waiting:
            return END
        gates = [self._gate_of(waiter) for waiter in waiting]
        for gate in gates:
            if isinstance(gate, Stop):
                return gate
            if gate != gates[0]:
                return _separate(path, waiting)
        assert isinstance(gate, frozenset)
        found = self._passed.get(gate)
        if found is None:
            found = self._passed[gate] = self._pass(gate, waiting)
        return found

    def _pass(self, gate: frozenset[str], joins: tuple[str, ...]) -> Go | Stop:
        begun: list[str] = []
        for join in joins:
            inner = self.entry(join)
            if isinstance(inner, Stop):
                return inner
            begun += inner
        for path in gate:
            others = self._waiting(path)
            if isinstance(others, Stop):
                return others
            if set(others) != set(joins):
                return _separate(path, others)
        return Go(gate, tuple(begun), joins)

    def _waiting(self, path: str) -> tuple[str, ...] | Stop:
        """Return the nodes whose gate the step belongs to: its successors, or those of the blocks that it ends."""
        found = self._after(path)
        if isinstance(found, Stop):
            return found
        waiting = []
        for waiter in found:
            gate = self._gate_of(waiter)
            if isinstance(gate, Stop) or path in gate:
                waiting.append(waiter)
        return tuple(waiting)

    def _after(self, path: str) -> tuple[str, ...] | Stop:
        node = self.graph[path]
        while not node.successors:
            if node.parent is None:
                return ()
            node = self.graph[node.parent]
            if node.kind is NodeKind.ITERATION and node.parent is not None:
                block = self.graph[node.parent]
                return Stop(block.path, f"`{block.path}` {DECIDED[block.kind]}")
            if node.racer and node.parent:
                return Stop(node.parent, f"`{node.parent}` {DECIDED[NodeKind.PARALLEL]}")
            if node.kind is NodeKind.CHOICE:
                return Stop(node.path, f"the choice `{node.path}` ends here: the engine goes on after it")
        return node.successors

    # ------------------------------------------------------------ gates
    def _gate_of(self, path: str) -> frozenset[str] | Stop:
        """Return the steps whose settling lets a node with needs begin."""
        found = self._gates.get(path)
        if found is None:
            found = self._gates[path] = self._gate(self.graph[path])
        return found

    def _gate(self, node: Node) -> frozenset[str] | Stop:
        if not node.waits_for_all:
            return Stop(node.path, f"`{node.path}` begins with the first of its needs: the engine decides when")
        return self._union(self._reduced(node.needs))

    def _union(self, paths: tuple[str, ...]) -> frozenset[str] | Stop:
        found: set[str] = set()
        for path in paths:
            inner = self._settlers_of(path)
            if isinstance(inner, Stop):
                return inner
            found |= inner
        return frozenset(found)

    def _settlers_of(self, path: str) -> frozenset[str] | Stop:
        """Return the activity steps with the last of which a node settles."""
        found = self._settlers.get(path)
        if found is None:
            found = self._settlers[path] = self._settled_by(self.graph[path])
        return found

    def _settled_by(self, node: Node) -> frozenset[str] | Stop:
        match node.kind:
            case NodeKind.ACTIVITY:
                return frozenset((node.path,))
            case NodeKind.PARALLEL if not node.race:
                return self._union(node.children)
            case NodeKind.BRANCH:
                for child in node.children:
                    if not self.graph[child].waits_for_all:
                        return Stop(child, f"`{child}` begins with the first of its needs: the engine decides when")
                return self._union(tuple(c for c in node.children if not self.graph[c].successors))
            case _:
                return Stop(node.path, f"`{node.path}` {DECIDED[node.kind]}")

    def _reduced(self, needs: tuple[str, ...]) -> tuple[str, ...]:
        """Drop needs that have settled for certain when another need has: ``[a, b]`` where ``b`` needs ``a``."""
        if len(needs) < 2:
            return needs
        stack = [path for need in needs for path in self._upstream(need)]
        above: set[str] = set()
        while stack:
            path = stack.pop()
            if path not in above:
                above.add(path)
                stack += self._upstream(path)
            if len(above) > REDUCTION_LIMIT:
                return needs
        return tuple(need for need in needs if need not in above)

    def _upstream(self, path: str) -> tuple[str, ...]:
        node = self.graph[path]
        return node.needs if node.waits_for_all else ()


DECIDED = {
    NodeKind.SET: "sets variables: the engine does that itself",
    NodeKind.CHOICE: "is a choice: the engine decides when it is reached",
    NodeKind.PARALLEL: "is a race: the first branches to complete decide it",
    NodeKind.FOREACH: "repeats its steps for each item: only runtime knows how often",
    NodeKind.LOOP: "repeats its steps: only runtime knows how often",
    NodeKind.ADHOC: "people choose which of its steps is done next",
    NodeKind.WAIT: "waits for a time: no message is held meanwhile",
    NodeKind.RECEIVE: "waits for an event: no message is held meanwhile",
    NodeKind.EMIT: "publishes an event: the engine does that itself",
    NodeKind.CALL: "runs another workflow: the engine goes on when that has ended",
    NodeKind.DECIDE: "asks a decision table: the engine does that itself",
    NodeKind.RETURN: "ends the instance: the engine does that itself",
    NodeKind.FAIL: "ends the instance: the engine does that itself",
    NodeKind.MACHINE: "waits for an event: no message is held meanwhile",
    NodeKind.MOVE: "changes the state: the engine does that itself",
}
"""Why the engine, not a canvas, goes on at a node of each kind."""


def _separate(path: str, waiting: tuple[str, ...]) -> Stop:
    names = ", ".join(f"`{waiter}`" for waiter in waiting)
    return Stop(waiting[0], f"{names} wait for `{path}`, not all for the same steps: joins are counted in the database")


@lru_cache(maxsize=256)
def of(graph: Graph) -> Static:
    """Return what a graph says for certain, found once per graph."""
    return Static(graph)
