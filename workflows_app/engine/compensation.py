"""Compensation: which steps are undone, and what is undone before what.

Undone are steps with a compensation that completed, by themselves or by their fallback, or whose effect is unknown
because an attempt timed out or was lost. A step that ended with ``on_error: {output}`` completed in name only: it is
undone only if its effect is unknown. A completed call without a compensation of its own is undone by what it called.

A step is undone after every step that depended on it (Garcia-Molina and Salem, *Sagas*, 1987, over a graph instead of
a list). Which steps those are follows from the definition alone; steps that no instance ever undoes are left out of
that order as far as this does not take more edges than it saves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Mapping

from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.paths import ITERATION, chosen, indexes, split
from workflows_app.engine.snapshot import StepSnapshot
from workflows_app.engine.states import Role, StepState

Edges = dict[str, dict[str, None]]
"""Names by name; the inner dictionary is a set that keeps its order."""


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


class Order:
    """The definition's graph backwards, of what may have to be undone, by the paths of nodes.

    In it are steps that may have something to undo, blocks with such a step inside, and *junctions*: other steps that
    are kept because several wait for them that each wait for several.

    Args:
        written: every node as it is written, by name: ``Graph.written``.
    """

    def __init__(self, written: Mapping[str, Node]) -> None:
        self._written = written
        self._counted = _with_undo(written.values())
        self._before: dict[str, tuple[str, ...]] = {}
        self._after: dict[str, tuple[str, ...]] = {}
        self._inside: dict[str | None, tuple[str, ...]] = {}
        roots = tuple(name for name, node in written.items() if node.parent is None)
        for parent, lists in [(None, (roots,)), *((name, written[name].lists) for name in self._counted)]:
            for steps in lists:
                self._add(steps)
            self._inside[parent] = tuple(name for steps in lists for name in steps if name in self._counted)

    def _add(self, steps: Iterable[str]) -> None:
        """Add one list of steps without those that nothing has to be undone for."""
        before: Edges = {name: dict.fromkeys(self._written[name].needs) for name in steps}
        after: Edges = {name: dict.fromkeys(self._written[name].successors) for name in steps}
        todo = deque(name for name in before if name not in self._counted)
        while todo:
            name = todo.popleft()
            if name not in before or len(before[name]) * len(after[name]) > len(before[name]) + len(after[name]):
                continue
            earlier, later = before.pop(name), after.pop(name)
            for each in earlier:
                after[each] |= dict.fromkeys(other for other in later if other != each)
                del after[each][name]
            for each in later:
                before[each] |= dict.fromkeys(other for other in earlier if other != each)
                del before[each][name]
            todo.extend(each for each in (*earlier, *later) if each not in self._counted)
        self._before |= {name: tuple(names) for name, names in before.items()}
        self._after |= {name: tuple(names) for name, names in after.items()}

    def node(self, path: str) -> Node:
        """Return the node as it is written."""
        return self._written[_name(path)]

    def is_junction(self, path: str) -> bool:
        """Whether nothing is undone there, only waited for."""
        return _name(path) not in self._counted

    def followers(self, path: str) -> int:
        """Return of how many nodes of its list the undo has to end before this one's begins."""
        return len(self._after.get(_name(path), ()))

    def earlier(self, path: str) -> list[str]:
        """Return the nodes of its list that wait for the end of this one's undo."""
        return _placed(path, self._before.get(_name(path), ()))

    def inside(self, path: str | None, scope: Container[str] | None = None) -> int:
        """Return how many nodes of a block (``None``: of the outermost list) have to have ended for it to end.

        Args:
            scope: nothing but these names counts.
        """
        names = self._inside.get(path and _name(path), ())
        return sum(scope is None or name in scope for name in names)

    def last(self, path: str | None) -> list[str]:
        """Return the nodes of a block, or of the outermost list, that no other one has to be undone before."""
        names = self._inside.get(path and _name(path), ())
        return _placed(path or "", (name for name in names if not self._after[name]))

    def iterations(self, path: str, opened: int) -> int:
        """Return how many iterations of a block may have been begun, of which so many were."""
        return opened * len(self._repeated(path))

    def iteration(self, path: str, number: int) -> str:
        """Return the path of one of them. Of an ad-hoc section, not every one that may have been begun was."""
        names = self._repeated(path)
        return f"{names[number % len(names)]}[{number // len(names)}]"

    def _repeated(self, path: str) -> list[str]:
        """Return what the iterations of a block are named after: it, or the members of an ad-hoc section."""
        node = self.node(path)
        if node.kind is not NodeKind.ADHOC:
            return [path]
        names = (chosen(path, member.id) for member in node.adhoc.steps)
        return [name for name in names if split(name)[1] + ITERATION in self._counted]

    def depends(self, later: str, earlier: str) -> bool:
        """Say whether one of these steps, or a block around it, had to wait for the other, directly or not."""
        for one, other in zip(self._way(later), self._way(earlier), strict=False):
            if one == other:
                continue
            if not one.endswith("]"):
                return self._follows(_name(one), _name(other))
            block = self.node(self.parent(one) or "")
            return block.kind is NodeKind.LOOP and indexes(one)[-1] > indexes(other)[-1]
        return False

    def _way(self, path: str) -> list[str]:
        """Return the blocks around a node, the outermost first, and the node itself."""
        way = [path]
        while (around := self.parent(way[0])) is not None:
            way.insert(0, around)
        return way

    def _follows(self, later: str, earlier: str) -> bool:
        """Say whether one node of a list is reached from another."""
        seen: set[str] = set()
        todo = [earlier]
        while todo:
            after: Iterable[str] = self._after.get(todo.pop(), ())
            todo += [name for name in after if name not in seen]
            seen.update(after)
        return later in seen

    def parent(self, path: str) -> str | None:
        """Return the block around a node; that around an iteration is what repeats it."""
        around, name = split(path)
        if not name:
            above, block = split(around[: around.rindex("[")])
            repeats = self._written[block + ITERATION].parent or ""
            return f"{above}.{repeats}" if above else repeats
        parent = self._written[name].parent
        if parent is None or parent.endswith(ITERATION):
            return around or None
        return _placed(path, [parent])[0]


def _with_undo(nodes: Iterable[Node]) -> set[str]:
    """Return the names of steps that may have something to undo, and of the blocks around them."""
    by_name = {node.path: node for node in nodes}
    found: set[str] = set()
    for node in by_name.values():
        name: str | None = node.path if node.has_undo and not node.is_container else None
        while name is not None and name not in found:
            found.add(name)
            name = by_name[name].parent
    return found


def _name(path: str) -> str:
    """Return the name under which a node is written.

    >>> _name("pay"), _name("each[3].pay"), _name("again[1].each[3]")
    ('pay', 'pay', 'each[]')
    """
    around, name = split(path)
    return name or split(around[: around.rindex("[")])[1] + ITERATION


def _placed(path: str, names: Iterable[str]) -> list[str]:
    """Return the paths of nodes written in the same iteration as the one at ``path``, or in it if it is one."""
    around, _ = split(path)
    return [f"{around}.{name}" for name in names] if around else list(names)
