"""Order: dependencies that exist, no circle among them, and what is upstream of what."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from workflows_app.engine.errors import Problem
from workflows_app.engine.verifier.outline import Outline, Placed, StepList

_MOST_CIRCLES = 20


def problems(outline: Outline) -> Iterator[Problem]:
    """Yield ``UNKNOWN_NEED``, ``CYCLIC_DEPENDENCY`` and ``GOTO_TARGET``."""
    upstream = Upstream(outline)
    for placed in outline.steps.values():
        list_keys = ("needs", "also") if placed.step.infers_needs else ("needs",)
        for index, need in enumerate(placed.step.needs or ()):
            if need not in placed.inside.steps:
                elsewhere = outline.steps.get(need)
                known = f"`{need}` stands in another list ({elsewhere.path()})" if elsewhere else f"no step is `{need}`"
                message = f"{known}; needs names steps of the same list"
                yield Problem(code="UNKNOWN_NEED", path=placed.path(*list_keys, index), message=message)
        for keys, reaction in placed.step.on_error.written():
            if (target := reaction.goto) is not None and not _leads_on(upstream, placed, target):
                message = f"`{target}` must be a later step of the same list that depends on `{placed.step.id}`"
                yield Problem(code="GOTO_TARGET", path=placed.path(*keys, "goto"), message=message)
    for inside in outline.lists:
        for circle in circles(inside):
            yield _circular(outline, inside, circle)


def _leads_on(upstream: Upstream, placed: Placed, target: str) -> bool:
    """Whether a step is a later one of the same list that depends on the placed one."""
    names = list(placed.inside.steps)
    later = target in names and names.index(target) > names.index(placed.step.id)
    return later and upstream.holds(placed.step.id, target)


def _circular(outline: Outline, inside: StepList, circle: list[str]) -> Problem:
    message = f"the steps wait for each other: {' -> '.join(circle)}"
    if read := [f"{name} reads {need}" for name, need in pairwise(circle) if need in inside.inferred[name]]:
        message += f"; these dependencies are inferred: {', '.join(read)}"
    placed = outline.steps[circle[0]]
    by_default = placed.step.needs is None and circle[1] in inside.inferred[circle[0]]
    path = placed.path() if by_default else placed.path("needs")
    return Problem(code="CYCLIC_DEPENDENCY", path=path, message=message)


def circles(inside: StepList) -> list[list[str]]:
    """Return circles of dependencies, each as the steps along it with the first one repeated at its end.

    Depth first without recursion; at least one circle of every knot is found, not each of the many that it may hold.
    """
    found: list[list[str]] = []
    done: set[str] = set()
    for start in inside.steps:
        if start in done:
            continue
        trail, places = [start], {start: 0}
        stack = [iter(inside.needs[start])]
        while stack:
            need = next(stack[-1], None)
            if need is None:
                stack.pop()
                last = trail.pop()
                del places[last]
                done.add(last)
            elif need in places:
                found.append([*trail[places[need] :], need])
                if len(found) >= _MOST_CIRCLES:
                    return found
            elif need not in done:
                places[need] = len(trail)
                trail.append(need)
                stack.append(iter(inside.needs[need]))
    return found


class Upstream:
    """Answers which steps have settled before a step is entered.

    Upstream are the step's direct and transitive dependencies, those of the blocks around it, and whatever is inside
    any of these. Within a list the answer comes from a bit per step; a chain, as a list without ``needs`` is, has none.
    """

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._places: dict[int, dict[str, int]] = {}
        self._masks: dict[int, dict[str, int] | None] = {}
        self._chains: set[int] = set()
        for inside in outline.lists:
            self._places[id(inside)] = {name: index for index, name in enumerate(inside.steps)}
            names = list(inside.steps)
            before: list[tuple[str, ...]] = [(), *((name,) for name in names[:-1])]
            if [inside.needs[name] for name in names] == before:
                self._chains.add(id(inside))

    def holds(self, step: str, reader: str) -> bool:
        """Say whether ``step`` is upstream of ``reader``; true as well where a circle leaves no order to speak of."""
        here = {id(inside): member for inside, member in self._outline.lineage(step)}
        for inside, member in self._outline.lineage(reader):
            if id(inside) in here:
                return self._precedes(inside, here[id(inside)], member)
        return False

    def _precedes(self, inside: StepList, first: str, second: str) -> bool:
        if first == second:
            return False
        places = self._places[id(inside)]
        if id(inside) in self._chains:
            return places[first] < places[second]
        if id(inside) not in self._masks:
            self._masks[id(inside)] = _masks(inside, places)
        masks = self._masks[id(inside)]
        return masks is None or bool(masks[second] >> places[first] & 1)


def _masks(inside: StepList, places: dict[str, int]) -> dict[str, int] | None:
    """Return for each step the bits of all that precede it, or ``None`` where there is a circle."""
    waiting = {name: len(needs) for name, needs in inside.needs.items()}
    successors: dict[str, list[str]] = {name: [] for name in inside.steps}
    for name, needs in inside.needs.items():
        for need in needs:
            successors[need].append(name)
    ready = [name for name, count in waiting.items() if count == 0]
    masks: dict[str, int] = {}
    while ready:
        name = ready.pop()
        mask = 0
        for need in inside.needs[name]:
            mask |= masks[need] | 1 << places[need]
        masks[name] = mask
        for successor in successors[name]:
            waiting[successor] -= 1
            if waiting[successor] == 0:
                ready.append(successor)
    return masks if len(masks) == len(inside.steps) else None
