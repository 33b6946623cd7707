"""Functions over whole structures: JSON text and values, and maps put together."""

from __future__ import annotations

import json
from typing import Any

from workflows_app.engine.errors import ExpressionError
from workflows_app.engine.expressions.kinds import NewList, NewMap
from workflows_app.engine.expressions.limits import SLOT, Meter
from workflows_app.engine.expressions.registry import function, need
from workflows_app.engine.expressions.results import as_json


@function("parseJson(s)", "The value of a JSON text.")
def _parse_json(meter: Meter, text: Any) -> Any:
    meter.scan(len(need(text, "string", "parseJson")))
    # The most places that so many characters can hold: `[1,1,1]`.
    meter.produce(len(text) + SLOT * (len(text) // 2))
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as fault:
        raise ExpressionError(f"parseJson() cannot read the text: {fault}"[:200]) from None
    # Walked as what the expression made: integers beyond 64 bit, infinite doubles and deep nesting are found here.
    return as_json(NewList([value]), meter)[0]


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


@function("toJson(x) -> string", "The JSON text of a value, keys in order.")
def _to_json(meter: Meter, value: Any) -> str:
    text = json.dumps(as_json(value, meter), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    meter.produce(len(text))
    return text


@function("merge(a, b) -> map", "The entries of two maps; where both have a key, that of the second.")
def _merge(meter: Meter, first: Any, second: Any) -> dict[str, Any]:
    meter.visit(1 + len(need(first, "map", "merge")) + len(need(second, "map", "merge")))
    meter.produce(SLOT * (len(first) + len(second)))
    return NewMap({**first, **second})
