"""Tests of one input: what stands in a cell of a table, and whether a value passes it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property

from workflows_app.engine import expressions
from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.expressions import Expression

Scalar = str | int | float | bool

_NUMBER = r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,17})?(?:[eE][-+]?[0-9]{1,3})?"
_COMPARED = re.compile(rf"\s*(<=|>=|<|>)\s*({_NUMBER})\s*")
_RANGE = re.compile(rf"\s*([\[(])\s*({_NUMBER})\s*\.\.\s*({_NUMBER})\s*([\])])\s*")
_UNLIKE = re.compile(r"\s*(!?=)\s?(.*)", re.DOTALL)
ANY_TEXT = "-"


class CellInvalid(OrchestratorError):
    """Something in a cell that is no test of its input."""

    code = "TABLE_CELL_INVALID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Numbers between two bounds, either of which may be infinite; ``closed`` says whether a bound itself belongs."""

    low: float = -math.inf
    high: float = math.inf
    low_closed: bool = False
    high_closed: bool = False

    def takes(self, value: Scalar) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        above = value >= self.low if self.low_closed else value > self.low
        return above and (value <= self.high if self.high_closed else value < self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """One value; ``negated`` takes every other."""

    value: Scalar
    negated: bool = False

    def takes(self, value: Scalar) -> bool:
        return (same(value, self.value)) is not self.negated


@dataclass(frozen=True, kw_only=True)
class Formula:
    """A CEL expression over ``input``: nobody can tell what it takes without evaluating it."""

    source: str

    @cached_property
    def compiled(self) -> Expression:
        return expressions.compile_expression(self.source)


Simple = Range | Constant
Cell = tuple[Simple, ...] | Formula
"""Tests one of which must pass; an empty tuple takes anything."""


def same(one: Scalar, other: Scalar) -> bool:
    """Whether two values are the same: 1 and 1.0 are, 1 and true are not."""
    return isinstance(one, bool) is isinstance(other, bool) and one == other


def read(written: object, kind: str) -> Cell:
    """Read a cell.

    Args:
        written: a constant, a text with a test, or a list of these.
        kind: type of the input: string, number, integer or boolean.

    Raises:
        CellInvalid: with code TABLE_CELL_INVALID.

    >>> read("[1..10)", "number")
    (Range(low=1, high=10, low_closed=True, high_closed=False),)
    >>> read(["gold", "= -"], "string")
    (Constant(value='gold', negated=False), Constant(value='-', negated=False))
    """
    if isinstance(written, str) and written.strip() == ANY_TEXT:
        return ()
    if isinstance(written, str) and written.strip().startswith("${"):
        return Formula(source=written.strip())
    if isinstance(written, list):
        if not written:
            raise CellInvalid("an empty list takes nothing; `-` takes anything")
        return tuple(_simple(each, kind) for each in written)
    return (_simple(written, kind),)


def fits(value: object, kind: str) -> bool:
    """Whether a value is one of an input's type; 2.0 is a whole number.

    >>> fits(2.0, "integer"), fits(2.5, "integer"), fits(True, "number")
    (True, False, False)
    """
    if kind in ("string", "boolean"):
        return isinstance(value, str if kind == "string" else bool)
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return False
    return kind == "number" or value == math.floor(value)


def _simple(written: object, kind: str) -> Simple:
    if isinstance(written, str):
        if kind in ("number", "integer"):
            return _numeric(written)
        found = _UNLIKE.fullmatch(written) if written.lstrip()[:1] in ("=", "!") else None
        value: object = found[2] if found else written
        negated = bool(found and found[1] == "!=")
        if kind == "boolean":
            value = {"true": True, "false": False}.get(str(value).strip())
    else:
        value, negated = written, False
    if not fits(value, kind) or not isinstance(value, str | int | float):
        raise CellInvalid(f"is no test of an input of type {kind}")
    return Constant(value=value, negated=negated)


def _numeric(text: str) -> Simple:
    if found := _COMPARED.fullmatch(text):
        sign, bound = found[1], _number(found[2])
        closed = sign.endswith("=")
        return Range(high=bound, high_closed=closed) if sign[0] == "<" else Range(low=bound, low_closed=closed)
    if found := _RANGE.fullmatch(text):
        low, high = _number(found[2]), _number(found[3])
        made = Range(low=low, high=high, low_closed=found[1] == "[", high_closed=found[4] == "]")
        if low > high or (low == high and not (made.low_closed and made.high_closed)):
            raise CellInvalid("is an empty range")
        return made
    if (found := _UNLIKE.fullmatch(text)) and re.fullmatch(_NUMBER, found[2].strip()):
        return Constant(value=_number(found[2]), negated=found[1] == "!=")
    if re.fullmatch(_NUMBER, text.strip()):
        return Constant(value=_number(text))
    raise CellInvalid("is no test of a number such as 5, `< 5`, `[1..10)`, `!= 0` or `-`")


def _number(text: str) -> int | float:
    value = int(text) if re.fullmatch(r"\s*-?[0-9]+\s*", text) else float(text)
    if not math.isfinite(value):
        raise CellInvalid("is beyond the numbers that can be compared")
    return value
