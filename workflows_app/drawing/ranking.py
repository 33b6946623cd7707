"""Ranking: which row each box of a list stands in, and in which order the boxes of a row stand.

Links that lead back, as in state machines, are turned round first. A link over several rows gets a place of its own in
each row between, so that no box stands in its way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

Link = tuple[str, str]
SWEEPS = 8
MOST_BENDS = 4_000
"""Beyond so many places for links between rows, long links go straight to their ends."""
MOST_COUNTED = 2_000
"""With more links than that the order is not measured: the last one is taken."""


@dataclass(frozen=True, slots=True)
class Bend:
    """The place of the link ``number`` in a row that it only passes."""

    number: int
    row: int


Place = str | Bend


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Boxes and bends row by row, and the way of every link through the rows.

    Args:
        rows: from the top; each from the left.
        ways: for each link its places from the upper row to the lower one.
        turned: for each link whether it leads upwards, its way being written from the top all the same.
    """

    rows: tuple[tuple[Place, ...], ...]
    ways: tuple[tuple[Place, ...], ...]
    turned: tuple[bool, ...]


def rows(boxes: Sequence[str], links: Sequence[Link]) -> Rows:
    """Rank and order boxes.

    Args:
        boxes: in the order that breaks ties.
        links: between these boxes, none from a box to itself.

    >>> rows(["a", "b", "c"], [("a", "b"), ("a", "c"), ("b", "c")]).rows
    (('a',), ('b', Bend(number=1, row=1)), ('c',))
    """
    turned = _turned(boxes, links)
    downward = [(t, s) if back else (s, t) for (s, t), back in zip(links, turned, strict=True)]
    rank = _ranks(boxes, downward)
    depth = max(rank.values(), default=-1) + 1
    bends = sum(rank[target] - rank[source] - 1 for source, target in downward)
    levels: list[list[Place]] = [[] for _ in range(depth)]
    for box in boxes:
        levels[rank[box]].append(box)
    ways: list[tuple[Place, ...]] = []
    for number, (source, target) in enumerate(downward):
        between = range(rank[source] + 1, rank[target]) if bends <= MOST_BENDS else ()
        passed = [Bend(number, row) for row in between]
        for bend in passed:
            levels[bend.row].append(bend)
        ways.append((source, *passed, target))
    ordered = _ordered(levels, ways)
    return Rows(rows=tuple(map(tuple, ordered)), ways=tuple(ways), turned=tuple(turned))


def _turned(boxes: Sequence[str], links: Sequence[Link]) -> list[bool]:
    """Tell of each link whether it leads back to a box that the search from the first boxes is still inside of."""
    following: dict[str, list[tuple[int, str]]] = {box: [] for box in boxes}
    for number, (source, target) in enumerate(links):
        following[source].append((number, target))
    back = [False] * len(links)
    seen: set[str] = set()
    inside: set[str] = set()
    for box in boxes:
        stack = [] if box in seen else [(box, iter(following[box]))]
        seen.add(box)
        inside.add(box)
        while stack:
            at, rest = stack[-1]
            for number, target in rest:
                if target in inside:
                    back[number] = True
                elif target not in seen:
                    seen.add(target)
                    inside.add(target)
                    stack.append((target, iter(following[target])))
                    break
            else:
                inside.discard(at)
                stack.pop()
        inside.discard(box)
    return back


def _ranks(boxes: Sequence[str], links: Sequence[Link]) -> dict[str, int]:
    """Return the longest way to each box; a link without a cycle always leads to a higher rank."""
    waits = dict.fromkeys(boxes, 0)
    following: dict[str, list[str]] = {box: [] for box in boxes}
    for source, target in links:
        waits[target] += 1
        following[source].append(target)
    rank = dict.fromkeys(boxes, 0)
    ready = [box for box in boxes if not waits[box]]
    for box in ready:
        for target in following[box]:
            rank[target] = max(rank[target], rank[box] + 1)
            waits[target] -= 1
            if not waits[target]:
                ready.append(target)
    return rank


def _ordered(levels: list[list[Place]], ways: Sequence[Sequence[Place]]) -> list[list[Place]]:
    """Order every row by the middle of its neighbours, downwards and upwards in turn; keep what crosses least."""
    if all(len(level) <= 1 for level in levels):
        return levels
    above: dict[Place, list[Place]] = {}
    below: dict[Place, list[Place]] = {}
    for way in ways:
        for upper, lower in pairwise(way):
            below.setdefault(upper, []).append(lower)
            above.setdefault(lower, []).append(upper)
    measured = sum(len(way) - 1 for way in ways) <= MOST_COUNTED
    best, fewest = levels, _crossings(levels, below) if measured else None
    current = levels
    for sweep in range(SWEEPS if measured else 2):
        down = sweep % 2 == 0
        current = _swept(current, above if down else below, down=down)
        crossed = _crossings(current, below) if measured else None
        if fewest is None or crossed is None or crossed < fewest:
            best, fewest = current, crossed
        if fewest == 0:
            break
    return best


def _swept(levels: list[list[Place]], neighbours: Mapping[Place, list[Place]], *, down: bool) -> list[list[Place]]:
    result = [list(level) for level in levels]
    places: dict[Place, int] = {}
    for row in range(len(result)) if down else range(len(result) - 1, -1, -1):
        level = result[row]
        wanted: dict[Place, float] = {}
        for index, place in enumerate(level):
            known = [places[other] for other in neighbours.get(place, ()) if other in places]
            wanted[place] = sum(known) / len(known) if known else float(index)
        level.sort(key=lambda place: wanted[place])
        places |= {place: index for index, place in enumerate(level)}
    return result


def _crossings(levels: Sequence[Sequence[Place]], below: Mapping[Place, list[Place]]) -> int:
    """Count the crossings between neighbouring rows (Barth, Mutzel and Jünger 2004, with a list for the tree)."""
    total = 0
    for upper, lower in pairwise(levels):
        index = {place: number for number, place in enumerate(lower)}
        seen = [0] * (len(lower) + 1)
        for place in upper:
            ends = sorted(index[other] for other in below.get(place, ()) if other in index)
            for end in ends:
                at = len(lower) - 1 - end
                while at > 0:
                    total += seen[at]
                    at -= at & -at
            for end in ends:
                at = len(lower) - end
                while at <= len(lower):
                    seen[at] += 1
                    at += at & -at
    return total
