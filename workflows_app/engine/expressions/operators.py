"""CEL's operators on plain values: integers and doubles mix, everything else keeps to its kind.

An integer beyond 64 bit is an error, never a longer integer; comparing different kinds for equality is false, for
order an error (CEL language definition, "Equality" and "Ordering").
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from workflows_app.engine.errors import ExpressionError
from workflows_app.engine.expressions.kinds import NewList, kind_of
from workflows_app.engine.expressions.limits import INT_MAX, INT_MIN, SLOT, Meter

_NUMBERS = ("int", "double")
_ORDERED = ("bool", "string", "timestamp", "duration")


def checked(number: int | float) -> int | float:
    """``number``, when it is no integer beyond 64 bit.

    Raises:
        ExpressionError: it is.
    """
    if isinstance(number, int) and not INT_MIN <= number <= INT_MAX:
        raise ExpressionError("An integer leaves the range of 64 bit.")
    return number


def equal(meter: Meter, left: Any, right: Any) -> bool:
    """CEL's ``==``: deep, numbers by value, different kinds never equal.

    >>> equal(Meter(), {"a": [1, None]}, {"a": [1.0, None]}), equal(Meter(), True, 1)
    (True, False)
    """
    meter.visit()
    a, b = kind_of(left), kind_of(right)
    if a != b:
        return a in _NUMBERS and b in _NUMBERS and bool(left == right)
    if a == "list":
        return len(left) == len(right) and all(equal(meter, x, y) for x, y in zip(left, right, strict=True))
    if a == "map":
        if len(left) != len(right):
            return False
        return all(key in right and equal(meter, value, right[key]) for key, value in left.items())
    if a == "string":
        meter.scan(len(left))
    return bool(left == right)


def different(meter: Meter, left: Any, right: Any) -> bool:
    """CEL's ``!=``."""
    return not equal(meter, left, right)


def _ordering(symbol: str, compare: Callable[[Any, Any], Any]) -> Callable[[Meter, Any, Any], bool]:
    def apply(meter: Meter, left: Any, right: Any) -> bool:
        a, b = kind_of(left), kind_of(right)
        if not (a in _NUMBERS and b in _NUMBERS) and not (a == b and a in _ORDERED):
            raise no_such(symbol, a, b)
        if a == "string":
            meter.scan(min(len(left), len(right)))
        return bool(compare(left, right))

    return apply


def contained(meter: Meter, item: Any, container: Any) -> bool:
    """CEL's ``in``: an element of a list, a key of a map."""
    kind = kind_of(container)
    if kind == "list":
        return any(equal(meter, item, element) for element in container)
    if kind == "map":
        return kind_of(item) == "string" and item in container
    raise no_such("in", kind_of(item), kind)


def add(meter: Meter, left: Any, right: Any) -> Any:
    """Sums, joined strings, joined lists, times moved by a duration."""
    a, b = kind_of(left), kind_of(right)
    if a in _NUMBERS and b in _NUMBERS:
        return checked(left + right)
    if a == b == "string":
        meter.produce(len(left) + len(right))
        return left + right
    if a == b == "list":
        meter.produce(SLOT * (len(left) + len(right)))
        return NewList([*left, *right])
    if {a, b} == {"timestamp", "duration"} or a == b == "duration":
        return left + right
    raise no_such("+", a, b)


def subtract(meter: Meter, left: Any, right: Any) -> Any:
    """Differences of numbers, of times, and times moved back."""
    a, b = kind_of(left), kind_of(right)
    if a in _NUMBERS and b in _NUMBERS:
        return checked(left - right)
    if (a == "timestamp" and b in ("timestamp", "duration")) or a == b == "duration":
        return left - right
    raise no_such("-", a, b)


def multiply(meter: Meter, left: Any, right: Any) -> Any:
    """The product of two numbers."""
    a, b = kind_of(left), kind_of(right)
    if a in _NUMBERS and b in _NUMBERS:
        return checked(left * right)
    raise no_such("*", a, b)


def divide(meter: Meter, left: Any, right: Any) -> Any:
    """Integers divide towards zero; with a double it is the exact quotient.

    >>> divide(Meter(), -7, 2), divide(Meter(), 7, 2.0)
    (-3, 3.5)
    """
    a, b = kind_of(left), kind_of(right)
    if a not in _NUMBERS or b not in _NUMBERS:
        raise no_such("/", a, b)
    if right == 0:
        raise ExpressionError("Division by zero.")
    if a == b == "int":
        quotient = abs(left) // abs(right)
        return checked(quotient if (left < 0) == (right < 0) else -quotient)
    return left / right


def remainder(meter: Meter, left: Any, right: Any) -> Any:
    """Of two integers, with the sign of the first.

    >>> remainder(Meter(), -7, 2)
    -1
    """
    a, b = kind_of(left), kind_of(right)
    if not a == b == "int":
        raise no_such("%", a, b)
    if right == 0:
        raise ExpressionError("Division by zero.")
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def negate(value: Any) -> Any:
    """The unary minus, of numbers and durations."""
    kind = kind_of(value)
    if kind not in (*_NUMBERS, "duration"):
        raise ExpressionError(f"There is no -({kind}).")
    return checked(-value) if kind in _NUMBERS else -value


def invert(value: Any) -> bool:
    """The unary ``!``, of booleans only."""
    if value is True or value is False:
        return not value
    raise ExpressionError(f"There is no !({kind_of(value)}).")


def no_such(symbol: str, left: str, right: str) -> ExpressionError:
    """The error of an operator between kinds that it does not know."""
    return ExpressionError(f"There is no {left} {symbol} {right}.")


BINARY: Mapping[str, Callable[[Meter, Any, Any], Any]] = {
    "relation_lt": _ordering("<", operator.lt),
    "relation_le": _ordering("<=", operator.le),
    "relation_gt": _ordering(">", operator.gt),
    "relation_ge": _ordering(">=", operator.ge),
    "relation_eq": equal,
    "relation_ne": different,
    "relation_in": contained,
    "addition_add": add,
    "addition_sub": subtract,
    "multiplication_mul": multiply,
    "multiplication_div": divide,
    "multiplication_mod": remainder,
}
"""The name of an operator's node in cel-python's grammar -> what it does."""
