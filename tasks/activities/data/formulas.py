"""Expressions over one item: the language's own CEL, with the names ``item`` and ``index`` and no other."""

from __future__ import annotations

from typing import Any

from workflows_app.activities import ActivityContext
from workflows_app.engine.errors import ExpressionError, ExpressionLimit
from workflows_app.engine.expressions import Expression, check_names, compile_expression
from workflows_app.engine.expressions.limits import Meter

_NAMES = ("item", "index")


def compiled(source: str) -> Expression:
    """Compile an expression.

    Raises:
        ExpressionError: it does not parse, or names something else than ``item`` and ``index``.
    """
    expression = compile_expression(source)
    for reference in check_names(expression, _NAMES):
        raise ExpressionError(f"`{reference.root}` is not known here; there are `item` and `index`.")
    return expression


def evaluate(expression: Expression, item: Any, index: int, context: ActivityContext) -> tuple[Any, int]:
    """The value of an expression for one item, and how much new data it made.

    Raises:
        ExpressionError: it does not evaluate, or its budget is spent.
        AttemptCancelled: when told to stop.
    """
    meter = Meter(context.should_stop)
    try:
        return expression.measure({"item": item, "index": index}, meter), meter.produced
    except ExpressionLimit:
        context.check()  # the limit may be the stop request itself
        raise
