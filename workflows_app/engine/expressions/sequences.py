"""Functions over strings and lists.

Every function charges the meter for what it reads and makes, and every one may be called either way:
``size(x)`` or ``x.size()``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import re2

from workflows_app.engine.errors import ExpressionError, ExpressionLimit
from workflows_app.engine.expressions.kinds import NewList, kind_of
from workflows_app.engine.expressions.limits import MAX_PATTERN, SLOT, Meter
from workflows_app.engine.expressions.operators import add, contained
from workflows_app.engine.expressions.registry import function, need

_RE2 = re2.Options()
_RE2.log_errors = False


@function("size(x) -> int", "The characters of a string, the elements of a list or the entries of a map.")
def _size(meter: Meter, value: Any) -> int:
    return len(need(value, ("string", "list", "map"), "size"))


@function("contains(s, part) -> bool", "Whether a string contains a part, or a list an element.")
def _contains(meter: Meter, value: Any, part: Any) -> bool:
    if kind_of(value) == "list":
        return contained(meter, part, value)
    meter.scan(len(need(value, ("string", "list"), "contains")))
    return need(part, "string", "contains") in value


@function("startsWith(s, prefix) -> bool", "Whether a string begins with a prefix.")
def _starts_with(meter: Meter, value: Any, prefix: Any) -> bool:
    meter.scan(len(need(prefix, "string", "startsWith")))
    return bool(need(value, "string", "startsWith").startswith(prefix))


@function("endsWith(s, suffix) -> bool", "Whether a string ends with a suffix.")
def _ends_with(meter: Meter, value: Any, suffix: Any) -> bool:
    meter.scan(len(need(suffix, "string", "endsWith")))
    return bool(need(value, "string", "endsWith").endswith(suffix))


@function(
    "matches(s, pattern) -> bool", "Whether an RE2 pattern is found anywhere in a string; anchor it with ^ and $."
)
def _matches(meter: Meter, value: Any, pattern: Any) -> bool:
    if len(need(pattern, "string", "matches")) > MAX_PATTERN:
        raise ExpressionLimit(f"The pattern is longer than {MAX_PATTERN} characters.")
    length = len(need(value, "string", "matches"))
    try:
        program = re2.compile(pattern, _RE2)
        meter.visit(10 + (length >> 6) + length * int(program.programsize) // 100_000)
        return program.search(value) is not None
    except re2.error as fault:
        reason = fault.args[0].decode(errors="replace") if fault.args and isinstance(fault.args[0], bytes) else fault
        raise ExpressionError(f"The pattern {pattern[:60]!r} is not a regular expression of RE2: {reason}.") from None


@function("lower(s) -> string", "The string in lower case.")
def _lower(meter: Meter, value: Any) -> str:
    meter.produce(len(need(value, "string", "lower")))
    return str(value.lower())


@function("upper(s) -> string", "The string in upper case.")
def _upper(meter: Meter, value: Any) -> str:
    meter.produce(len(need(value, "string", "upper")))
    return str(value.upper())


@function(
    "split(s, separator) -> list", "The parts of a string between separators; an empty separator gives its characters."
)
def _split(meter: Meter, value: Any, separator: Any) -> list[str]:
    need(value, "string", "split")
    meter.scan(len(value))
    parts = value.count(need(separator, "string", "split")) + 1 if separator else len(value)
    meter.produce(len(value) + SLOT * parts)
    return NewList(value.split(separator) if separator else value)


@function("sum(list) -> int or double", "The sum of a list of numbers; 0 for an empty one.")
def _sum(meter: Meter, values: Any) -> Any:
    total: Any = 0
    for value in need(values, "list", "sum"):
        meter.visit()
        total = add(meter, total, need(value, ("int", "double"), "sum"))
    return total


@function("min(list) or min(a, b, ...)", "The smallest of a list or of the arguments.", most=100)
def _min(meter: Meter, *values: Any) -> Any:
    return min(_comparable(meter, values, "min"))


@function("max(list) or max(a, b, ...)", "The largest of a list or of the arguments.", most=100)
def _max(meter: Meter, *values: Any) -> Any:
    return max(_comparable(meter, values, "max"))


@function("sort(list) -> list", "The list in ascending order: numbers, strings, booleans, timestamps or durations.")
def _sort(meter: Meter, values: Any) -> list[Any]:
    if not need(values, "list", "sort"):
        return NewList()
    items = _comparable(meter, (values,), "sort")
    meter.visit(len(items) * len(items).bit_length() // 8)
    meter.produce(SLOT * len(items))
    return NewList(sorted(items))


@function("flatten(list) -> list", "The elements of the lists in a list, one level deep: what batches came to, as one.")
def _flatten(meter: Meter, values: Any) -> list[Any]:
    found: list[Any] = []
    for value in need(values, "list", "flatten"):
        part = need(value, "list", "flatten")
        meter.visit(1 + len(part))
        meter.produce(SLOT * len(part))
        found += part
    return NewList(found)


def _comparable(meter: Meter, values: Sequence[Any], function: str) -> Sequence[Any]:
    items: Sequence[Any] = need(values[0], "list", function) if len(values) == 1 else values
    if not items:
        raise ExpressionError(f"{function}() needs at least one element.")
    kinds = set()
    for item in items:
        meter.visit()
        kind = kind_of(item)
        if kind == "string":
            meter.scan(len(item))
        kinds.add("number" if kind in ("int", "double") else kind)
    if len(kinds) > 1 or not kinds <= {"number", "string", "bool", "timestamp", "duration"}:
        raise ExpressionError(f"{function}() cannot order {' and '.join(sorted(kinds))}.")
    return items
