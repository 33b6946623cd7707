"""Expressions: CEL inside ``${ ... }``, pure and bounded.

The road of a text: ``lexer`` splits it under the bounds of ``limits`` (and finds where ``${`` ends), ``expression``
keeps constants and plain references away from the interpreter, ``parser`` has cel-python's grammar build a tree and
refuses what the language lacks, ``reads`` lists the paths it names, ``evaluator`` (cel-python's interpreter, metered)
walks it over plain JSON values with ``operators`` and the registered functions, and ``results`` turns the answer into
JSON or text. ``value`` does this for whole documents.

No expression reaches Python's attributes, a clock, the network or a file (a named time zone is looked up in the zone
database). The same expression on the same values always ends the same way: in a JSON value, in ``ExpressionError``, or
in ``ExpressionLimit`` when it is too large to parse or its budget of visited nodes and produced bytes is spent.

Where CEL leaves room, or JSON wants otherwise: integers and doubles mix; dividing by zero is an error for doubles too;
map keys are strings; there are no bytes, unsigned integers and messages; ``has(a.b.c)`` is false when any part of the
path is missing; an error of one operand of ``&&`` or ``||`` counts only when no later operand decides.

>>> from workflows_app.engine import expressions
>>> total = expressions.compile_expression("sum(input.lines.map(line, line.price * line.count))")
>>> total.evaluate({"input": {"lines": [{"price": 2.5, "count": 2}, {"price": 1, "count": 3}]}})
8.0
>>> sorted(each.path for each in total.reads)
[('lines',)]
"""

from __future__ import annotations

from workflows_app.engine.expressions.expression import Expression, check_names, compile_expression
from workflows_app.engine.expressions.reads import Reference
from workflows_app.engine.expressions.registry import functions
from workflows_app.engine.expressions.value import Value, compile_value

__all__ = ["Expression", "Reference", "Value", "check_names", "compile_expression", "compile_value", "functions"]
