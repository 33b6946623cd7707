"""Tables: each decision table that a step asks exists, and gets what it needs as far as that can be told ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from workflows_app.engine import expressions
from workflows_app.engine.decision_tables import Table
from workflows_app.engine.decision_tables.cells import fits
from workflows_app.engine.decision_tables.model import Input
from workflows_app.engine.definition.model import DecideBody
from workflows_app.engine.errors import ExpressionError, Problem
from workflows_app.engine.verifier.outline import Outline, Placed

TableOf = Callable[[str, str | None], Table | None]
"""Gives the version of a table, the highest for ``None``; ``None`` where there is none."""

_LATER = object()


def problems(outline: Outline, table_of: TableOf) -> Iterator[Problem]:
    """Yield ``UNKNOWN_TABLE``, ``MISSING_REQUIRED_INPUT`` and ``TABLE_INPUT_INVALID``.

    Without a version the highest that there is now is looked at; another one may be the highest when the step runs.
    """
    for placed in outline.steps.values():
        body = placed.step.body
        if isinstance(body, DecideBody):
            table = table_of(body.table, body.version)
            if table is None:
                yield _unknown(placed, body, table_of)
            else:
                yield from _input(placed, body.input, table)


def _unknown(placed: Placed, body: DecideBody, table_of: TableOf) -> Problem:
    if body.version is None:
        message = f"no decision table `{body.table}` is published with a version other than prereleases"
        return Problem(code="UNKNOWN_TABLE", path=placed.path("decide", "table"), message=message)
    highest = table_of(body.table, None)
    there = f"; its highest is {highest.version}" if highest is not None else ""
    message = f"version {body.version} of a decision table `{body.table}` is not published{there}"
    return Problem(code="UNKNOWN_TABLE", path=placed.path("decide", "version"), message=message)


def _input(placed: Placed, given: Any, table: Table) -> Iterator[Problem]:
    path = placed.path("decide", "input")
    if not isinstance(given, Mapping):
        if _told(given) is not _LATER:
            message = f"the input of the decision table `{table.name}` must be a mapping, or an expression of one"
            yield Problem(code="TABLE_INPUT_INVALID", path=path, message=message)
        return
    for column in table.inputs:
        name = _key(column)
        if name is None:
            continue
        if name not in given:
            message = f"the decision table `{table.name}` {table.version} needs the input `{name}`"
            yield Problem(code="MISSING_REQUIRED_INPUT", path=path, message=message)
        elif column.expression is None and not _takes(column, _told(given[name])):
            expected = (
                f"one of {', '.join(map(str, column.values[:10]))}" if column.values else f"of type {column.type}"
            )
            message = f"must be {expected}, as the decision table `{table.name}` {table.version} says"
            yield Problem(code="TABLE_INPUT_INVALID", path=placed.path("decide", "input", name), message=message)


def _key(column: Input) -> str | None:
    """Return the key of the input without which a column has certainly no value; ``None``: only evaluating tells."""
    if column.compiled is None:
        return column.name
    named = column.compiled.reference
    key = named.path[0] if named is not None and named.path else None
    return key if isinstance(key, str) else None


def _takes(column: Input, value: Any) -> bool:
    return value is _LATER or (fits(value, column.type) and (not column.values or value in column.values))


def _told(value: Any) -> Any:
    """Return a constant of the document, ``_LATER`` for what only runtime knows."""
    if not isinstance(value, str) or "${" not in value:
        return value
    try:
        compiled = expressions.compile_value(value)
        return compiled.evaluate({}) if compiled.is_constant else _LATER
    except ExpressionError:
        return _LATER
