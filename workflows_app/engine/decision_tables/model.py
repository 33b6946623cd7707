"""A parsed decision table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from workflows_app.engine import expressions
from workflows_app.engine.decision_tables.cells import Cell, Scalar
from workflows_app.engine.expressions import Expression, Value


class HitPolicy(StrEnum):
    """What several rules that hold come to (DMN 1.5, 8.2.8, calls them First, Unique and Collect)."""

    FIRST = "first"
    UNIQUE = "unique"
    COLLECT = "collect"


@dataclass(frozen=True, kw_only=True)
class Input:
    """One column of conditions.

    Args:
        name: key of the value in the decision's input.
        type: string, number, integer or boolean.
        values: the only values that there are; empty: any of the type.
        expression: CEL over ``input`` that computes the value; ``None`` takes it by name.
    """

    name: str
    type: str
    values: tuple[Scalar, ...] = ()
    expression: str | None = None

    @cached_property
    def compiled(self) -> Expression | None:
        return None if self.expression is None else expressions.compile_expression(self.expression)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One row.

    Args:
        id: names it in decisions and findings; its number from 1 where the document gives none.
        cells: conditions by input; an input that is left out takes anything.
        condition: CEL over ``input`` that must hold as well.
        outputs: JSON values by output; their strings may hold ``${ expressions }`` over ``input``.
    """

    id: str
    cells: Mapping[str, Cell] = field(default_factory=dict)
    condition: str | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def compiled_condition(self) -> Expression | None:
        return None if self.condition is None else expressions.compile_expression(self.condition)

    @cached_property
    def compiled_outputs(self) -> Value:
        return expressions.compile_value(dict(self.outputs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One version of a table."""

    name: str
    version: str
    title: str = ""
    description: str = ""
    hit: HitPolicy = HitPolicy.FIRST
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    rules: tuple[Rule, ...]
