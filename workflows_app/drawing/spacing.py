"""Spacing: where the boxes of a row stand, as near to what they are linked with as their neighbours let them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from workflows_app.drawing.ranking import Bend, Place, Rows

PASSES = 6
STRAIGHTNESS = 4.0
"""How much more a bend insists on its place than a box does: long links are straight where they can be."""


def centres(rows: Rows, widths: Mapping[Place, float], *, gap: float) -> dict[Place, float]:
    """Return the horizontal centre of every box and bend; the leftmost edge of all is at 0.

    Args:
        rows: what stands where, from left to right.
        widths: of boxes and bends.
        gap: between two neighbours of a row at least.
    """
    above: dict[Place, list[Place]] = {}
    below: dict[Place, list[Place]] = {}
    for way in rows.ways:
        for upper, lower in pairwise(way):
            below.setdefault(upper, []).append(lower)
            above.setdefault(lower, []).append(upper)
    found: dict[Place, float] = {}
    for row in rows.rows:
        found |= zip(row, _apart(row, [0.0] * len(row), widths, gap), strict=True)
    for number in range(PASSES):
        down = number % 2 == 0
        for row in rows.rows if down else rows.rows[::-1]:
            wanted = []
            for place in row:
                near = (above if down else below).get(place) or (below if down else above).get(place) or [place]
                wanted.append(sum(found[other] for other in near) / len(near))
            found |= zip(row, _apart(row, wanted, widths, gap), strict=True)
    left = min((found[place] - widths[place] / 2 for place in found), default=0.0)
    return {place: centre - left for place, centre in found.items()}


def _apart(row: Sequence[Place], wanted: Sequence[float], widths: Mapping[Place, float], gap: float) -> list[float]:
    """Return centres nearest to the wanted ones, in the order of the row and far enough apart.

    Least squares under an order: neighbours that want the same room are pooled (pool adjacent violators).
    """
    offsets: list[float] = []
    for index, place in enumerate(row):
        before = offsets[-1] + (widths[row[index - 1]] + widths[place]) / 2 + gap if index else 0.0
        offsets.append(before)
    pools: list[tuple[float, float, int]] = []
    for place, centre, offset in zip(row, wanted, offsets, strict=True):
        weight = STRAIGHTNESS if isinstance(place, Bend) else 1.0
        total, size = (centre - offset) * weight, 1
        while pools and pools[-1][0] / pools[-1][1] > total / weight:
            other, heavy, many = pools.pop()
            total, weight, size = total + other, weight + heavy, size + many
        pools.append((total, weight, size))
    level = [total / weight for total, weight, size in pools for _ in range(size)]
    return [base + offset for base, offset in zip(level, offsets, strict=True)]
