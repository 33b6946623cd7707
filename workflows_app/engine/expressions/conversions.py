"""Functions that turn one kind of value into another, and those that take a time apart."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from workflows_app.engine.errors import ExpressionError
from workflows_app.engine.expressions import moments
from workflows_app.engine.expressions.kinds import TypeName, kind_of
from workflows_app.engine.expressions.limits import Meter
from workflows_app.engine.expressions.operators import checked
from workflows_app.engine.expressions.registry import function, need

_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,4})?")


@function("int(x) -> int", "A whole number from a double (cut off), a decimal string or a timestamp (Unix seconds).")
def _int(meter: Meter, value: Any) -> Any:
    kind = kind_of(need(value, ("int", "double", "string", "timestamp"), "int"))
    if kind == "string" and not _INTEGER.fullmatch(value):
        raise ExpressionError(f"int() cannot read {value[:60]!r}.")
    if kind == "double" and not math.isfinite(value):
        raise ExpressionError("int() cannot read a double that is not finite.")
    return checked(math.floor(value.timestamp()) if kind == "timestamp" else int(value))


@function("double(x) -> double", "A double from an integer or a decimal string.")
def _double(meter: Meter, value: Any) -> float:
    if kind_of(need(value, ("int", "double", "string"), "double")) == "string" and not _DECIMAL.fullmatch(value):
        raise ExpressionError(f"double() cannot read {value[:60]!r}.")
    return float(value)


@function("bool(x) -> bool", 'A boolean from "true" or "false".')
def _bool(meter: Meter, value: Any) -> bool:
    if kind_of(need(value, ("bool", "string"), "bool")) == "bool":
        return bool(value)
    if value not in ("true", "false"):
        raise ExpressionError(f"bool() cannot read {value[:60]!r}.")
    return bool(value == "true")


@function("string(x) -> string", "The text of a number, boolean, time (RFC 3339) or duration (such as 90s).")
def _string(meter: Meter, value: Any) -> str:
    kind = kind_of(need(value, ("string", "int", "double", "bool", "timestamp", "duration"), "string"))
    if kind == "string":
        return str(value)
    meter.produce(32)
    if kind == "timestamp":
        return moments.format_timestamp(value)
    if kind == "duration":
        return moments.format_duration(value)
    return str(value).lower() if kind == "bool" else str(value)


@function("timestamp(x) -> timestamp", "A time from RFC 3339 text or from Unix seconds.")
def _timestamp(meter: Meter, value: Any) -> Any:
    kind = kind_of(need(value, ("string", "int", "timestamp"), "timestamp"))
    if kind == "int":
        return moments.parse_timestamp("1970-01-01T00:00:00Z") + moments.parse_duration("1s") * value
    return moments.parse_timestamp(value) if kind == "string" else value


@function("duration(x) -> duration", "A duration from text such as 1h30m, 12.5s or 3d, or from seconds.")
def _duration(meter: Meter, value: Any) -> Any:
    kind = kind_of(need(value, ("string", "int", "double", "duration"), "duration"))
    if kind in ("int", "double"):
        return moments.parse_duration("1s") * value
    return moments.parse_duration(value) if kind == "string" else value


@function("type(x) -> type", "The type of a value, to compare with int, double, string, bool, list, map, null_type.")
def _type(meter: Meter, value: Any) -> TypeName:
    return TypeName(kind_of(value))


@function("dyn(x)", "The value itself; CEL's hint for static checkers.")
def _dyn(meter: Meter, value: Any) -> Any:
    return value


def _part(name: str) -> Callable[..., int]:
    def apply(meter: Meter, value: Any, zone: Any = None) -> int:
        if kind_of(need(value, ("timestamp", "duration"), name)) == "timestamp":
            return moments.part_of_time(name, value, None if zone is None else need(zone, "string", name))
        return moments.part_of_duration(name, value)

    return apply


for _name, _sentence in {
    "getFullYear": "The year of a timestamp.",
    "getMonth": "The month of a timestamp, 0 for January.",
    "getDate": "The day of the month, from 1.",
    "getDayOfMonth": "The day of the month, from 0.",
    "getDayOfWeek": "The day of the week, 0 for Sunday.",
    "getDayOfYear": "The day of the year, from 0.",
    "getHours": "The hour of a timestamp, or a duration in whole hours.",
    "getMinutes": "The minute of a timestamp, or a duration in whole minutes.",
    "getSeconds": "The second of a timestamp, or a duration in whole seconds.",
    "getMilliseconds": "The milliseconds within the second of a timestamp or a duration.",
}.items():
    function(f"{_name}(t, zone?) -> int", f"{_sentence} The zone is an IANA name or +HH:MM; UTC without one.")(
        _part(_name)
    )
