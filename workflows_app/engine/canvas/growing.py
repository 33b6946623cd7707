"""Growing: from the ready frontier, step by step, to the largest static region whose messages fit the limit.

What ``static`` says to follow is put on the strands that it waits for, if they lie side by side. Everything else is
left to the engine: no barrier arises that the definition does not have.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence

from workflows_app.engine.canvas import sizes, static
from workflows_app.engine.canvas.plans import Task
from workflows_app.engine.canvas.regions import Notes, Region, coming, may_be_undo, sent
from workflows_app.engine.canvas.strands import Message, Strand, Strands
from workflows_app.engine.canvas.wide import WIDE
from workflows_app.engine.commands import Dispatch
from workflows_app.engine.graph import Graph

STEPS_LIMIT = 256
"""How many steps one region may have, fused ones included: planning more costs time and saves no message."""


def grow(graph: Graph, frontier: Sequence[Dispatch], *, fusing: bool, limit_bytes: int) -> Region:
    """Return the region of a frontier that is not wide."""
    growth = _Growth(graph, frontier, fusing, limit_bytes)
    growth.run()
    return Region(plan=growth.strands.plan(), hand_overs=growth.notes.hand_overs())


class _Growth:
    def __init__(self, graph: Graph, frontier: Sequence[Dispatch], fusing: bool, limit_bytes: int) -> None:
        self.graph = graph
        self.static = static.of(graph)
        self.fusing = fusing
        self.limit_bytes = limit_bytes
        self.notes = Notes()
        self.strands = Strands(sent(dispatch) for dispatch in frontier)
        self.ends = deque(dispatch.step for dispatch in frontier if not may_be_undo(graph, dispatch))
        self.steps = len(frontier)
        self.full = False
        # What a region that is one chain weighs; any other is weighed as a whole each time.
        self.chain_bytes = sizes.message(sent(frontier[0])) if len(frontier) == 1 else None

    def run(self) -> None:
        """Look at every end once; a join is looked at when the last step that it waits for has been."""
        arrived: Counter[frozenset[str]] = Counter()
        waiting: dict[frozenset[str], static.Go] = {}
        while self.ends:
            path = self.ends.popleft()
            follow = self.static.follow(path)
            if isinstance(follow, static.Stop):
                self.notes.add(path, follow.step, follow.why)
            elif isinstance(follow, static.Go):
                waiting[follow.gate] = follow
                arrived[follow.gate] += 1
                if arrived[follow.gate] == len(follow.gate):
                    self._extend(waiting.pop(follow.gate))
        for follow in waiting.values():
            self._leave(
                follow, f"{_name(follow)} waits for steps outside this region: its join is counted in the database"
            )

    def _leave(self, go: static.Go, why: str) -> None:
        for path in sorted(go.gate & self.strands.at.keys()):
            self.notes.add(path, go.joins[0], why)

    def _extend(self, go: static.Go) -> None:
        if len(go.then) > WIDE:
            self._leave(go, f"a wide group of {len(go.then)} begins: it is dispatched at its own frontier")
        elif self.steps + len(go.then) > STEPS_LIMIT:
            self._leave(go, f"{_name(go)} is left for the next region: one holds at most {STEPS_LIMIT} steps")
        elif not self._fuse(go):
            self._append(go)

    def _fuse(self, go: static.Go) -> bool:
        """Let the worker of the message before run what follows too, if both are light and on one queue."""
        if not self.fusing or len(go.gate) > 1 or len(go.then) > 1:
            return False
        (last,), (path,) = go.gate, go.then
        strand, node = self.strands.at[last], self.graph[path]
        message = strand.elements[-1]
        if not isinstance(message, Message) or message.task.long or message.task.queue != node.queue:
            return False
        if node.alone or self.graph[last].alone:
            return False
        message.fused.append(path)
        self.strands.at[path] = strand
        self._begun((path,))
        return True

    def _append(self, go: static.Go) -> None:
        place = self.strands.place(go.gate)
        if place is None:
            self._leave(go, f"{_name(go)} waits for steps of different strands: its join is counted in the database")
            return
        tasks = [coming(self.graph, path) for path in go.then]
        undo = self.strands.follow(place, tasks)
        if self.full or not self._fits(place, tasks):
            self.full = True
            undo()
            self._leave(go, f"{_name(go)} does not fit any more: the region would exceed {self.limit_bytes // 1000} kB")
            return
        self._begun(go.then)

    def _fits(self, place: list[Strand], tasks: list[Task]) -> bool:
        if len(place) > 1 or len(tasks) > 1:
            self.chain_bytes = None
        if self.chain_bytes is None:
            return sizes.size(self.strands.plan()) <= self.limit_bytes
        self.chain_bytes += sizes.link(tasks[0])
        return self.chain_bytes <= self.limit_bytes

    def _begun(self, paths: Sequence[str]) -> None:
        self.ends.extend(paths)
        self.steps += len(paths)


def _name(go: static.Go) -> str:
    return f"`{go.joins[0]}`"
