"""Regions: an input cut into the pieces that a table's rules can tell apart, each with a value to show for it.

All values of a piece pass the same tests, so that looking at one value of each is looking at all of them. Numbers are
cut at every bound into the bounds themselves and the open stretches between them (whole numbers: into those stretches
that hold one); texts into those that are named and one that is not; truth values are two.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from workflows_app.engine.decision_tables.cells import Cell, Constant, Formula, Range, Scalar, Simple
from workflows_app.engine.decision_tables.model import Input


def pieces(column: Input, cells: Iterable[Cell]) -> list[Scalar]:
    """Return one value of each piece.

    >>> pieces(Input(name="n", type="number"), [(Range(low=1, high=3, low_closed=True),)])
    [0, 1, 2, 3, 4]
    >>> pieces(Input(name="n", type="integer"), [(Range(high=1, high_closed=True),), (Range(low=2, low_closed=True),)])
    [0, 1, 2, 3]
    """
    simple = [test for cell in cells if not isinstance(cell, Formula) for test in cell]
    if column.values:
        return list(column.values)
    if column.type == "boolean":
        return [False, True]
    if column.type == "string":
        named = list(dict.fromkeys(test.value for test in simple if isinstance(test, Constant)))
        return [*named, _other([str(name) for name in named])]
    return list(_numbers(sorted(set(_bounds(simple))), whole=column.type == "integer"))


def takes(cell: Cell | None, value: Scalar) -> bool | None:
    """Whether a cell takes a value; ``None``: only evaluating it would tell."""
    if isinstance(cell, Formula):
        return None
    return not cell or any(test.takes(value) for test in cell)


def _bounds(tests: Iterable[Simple]) -> Iterator[int | float]:
    for test in tests:
        ends = (test.low, test.high) if isinstance(test, Range) else (test.value,)
        yield from (end for end in ends if isinstance(end, int | float) and math.isfinite(end))


def _numbers(bounds: list[int | float], *, whole: bool) -> Iterator[Scalar]:
    if not bounds:
        yield 0
        return
    yield from _below(bounds[0], whole)
    for low, high in zip(bounds, [*bounds[1:], None], strict=True):
        if not whole or low == math.floor(low):
            yield low
        if high is not None:
            yield from _between(low, high, whole)
    yield from _above(bounds[-1], whole)


def _between(low: int | float, high: int | float, whole: bool) -> Iterator[Scalar]:
    if whole:
        if math.floor(low) + 1 < high:
            yield math.floor(low) + 1
        return
    far = isinstance(low, int) and isinstance(high, int) and high - low > 1
    middle = (low + high) // 2 if far else low + (high - low) / 2
    # Neighbouring doubles have nothing between them.
    if low < middle < high:
        yield middle


def _below(bound: int | float, whole: bool) -> Iterator[Scalar]:
    value = math.ceil(bound) - 1 if whole or abs(bound) < 2**53 else bound * 2 if bound < 0 else bound / 2
    if value < bound and math.isfinite(value):
        yield value


def _above(bound: int | float, whole: bool) -> Iterator[Scalar]:
    value = math.floor(bound) + 1 if whole or abs(bound) < 2**53 else bound * 2 if bound > 0 else bound / 2
    if value > bound and math.isfinite(value):
        yield value


def _other(named: list[str]) -> str:
    text = "another"
    while text in named:
        text += "_"
    return text
