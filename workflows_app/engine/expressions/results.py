"""What leaves an evaluation: plain JSON values, and their text inside a template."""

from __future__ import annotations

import json
import math
from functools import partial
from typing import Any

from workflows_app.engine.errors import ExpressionError, ExpressionLimit
from workflows_app.engine.expressions import moments
from workflows_app.engine.expressions.kinds import a, kind_of
from workflows_app.engine.expressions.limits import MAX_VALUE_DEPTH, SLOT, Meter
from workflows_app.engine.expressions.operators import checked


def as_json(value: Any, meter: Meter) -> Any:
    """The plain JSON value of a result.

    A list or map that was given and comes back whole is returned as it is; what the expression built is walked and
    charged, so that one large value repeated a thousand times costs its real size.

    Raises:
        ExpressionError: a double that is not finite, an integer beyond 64 bit.
        ExpressionLimit: the result is too large or too deep.

    >>> as_json(moments.parse_duration("1h"), Meter())
    '3600s'
    """
    if type(value) in (list, dict):
        return value
    return _plain(value, meter, 0)


def _plain(value: Any, meter: Meter, depth: int) -> Any:
    kind = kind_of(value)
    if kind in ("null", "bool"):
        return value
    if kind == "string":
        return _text(value, meter)
    if kind == "int":
        return checked(value)
    if kind == "double":
        if not math.isfinite(value):
            raise ExpressionError("The result is a double that is not finite.")
        return value
    if kind == "timestamp":
        return moments.format_timestamp(value)
    if kind == "duration":
        return moments.format_duration(value)
    if kind == "type":
        return str(value)
    if depth >= MAX_VALUE_DEPTH:
        raise ExpressionLimit(f"The result nests deeper than {MAX_VALUE_DEPTH} levels.")
    meter.produce(SLOT * len(value))
    meter.visit()
    if kind == "list":
        return [_plain(item, meter, depth + 1) for item in value]
    return {_key(key, meter): _plain(item, meter, depth + 1) for key, item in value.items()}


def _text(value: str, meter: Meter) -> str:
    meter.produce(len(value))
    return value if type(value) is str else str(value)


def _key(key: Any, meter: Meter) -> str:
    if kind_of(key) != "string":
        raise ExpressionError(f"The result has {a(kind_of(key))} as a key; keys are strings.")
    return _text(key, meter)


_dumps = partial(json.dumps, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def as_text(value: Any, meter: Meter) -> str:
    """How a JSON value stands inside a template's text.

    Strings as they are, null as nothing, everything else as JSON with sorted keys (``true``, ``1.0``, ``{"a":1}``).

    >>> [as_text(value, Meter()) for value in ("a", None, True, 1.0, {"k": [1]})]
    ['a', '', 'true', '1.0', '{"k":[1]}']
    """
    if value is None:
        return ""
    try:
        text = value if isinstance(value, str) else _dumps(value)
    except (RecursionError, TypeError, ValueError) as fault:
        raise ExpressionError(f"The value has no JSON text: {fault}.") from None
    meter.produce(len(text))
    return text
