"""The parameter schema of a function that was registered without one: its signature says it."""

from __future__ import annotations

import enum
import functools
import inspect
import json
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

CONTEXT = "context"
"""The parameter name under which a function asks for its ``ActivityContext``."""

_SIMPLE: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    dict: {"type": "object"},
    list: {"type": "array"},
    tuple: {"type": "array"},
    Mapping: {"type": "object"},
    Sequence: {"type": "array"},
    None: {"type": "null"},
    type(None): {"type": "null"},
}


@functools.cache
def of(fn: Callable[..., Any]) -> inspect.Signature:
    """The function's signature, read once."""
    return inspect.signature(fn)


def takes_context(fn: Callable[..., Any]) -> bool:
    """Whether the function has a parameter named ``context``."""
    parameter = of(fn).parameters.get(CONTEXT)
    return parameter is not None and parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)


def check_callable(fn: Callable[..., Any]) -> None:
    """Refuse what cannot be performed with keyword arguments in a worker.

    Raises:
        TypeError: for coroutine functions, generators, positional-only parameters and ``*args``.
    """
    if inspect.iscoroutinefunction(fn) or inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
        raise TypeError("an activity is a plain function: neither async nor a generator")
    for parameter in of(fn).parameters.values():
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
            raise TypeError(f"parameter {parameter.name} cannot be given by keyword")


def parameters_of(fn: Callable[..., Any]) -> dict[str, Any]:
    """JSON Schema of the keyword arguments that ``fn`` accepts, ``context`` left out.

    Parameters without a default are required; ``**kwargs`` opens the object; annotations that JSON
    does not know say nothing.

    >>> def charge(*, amount: float, currency: str = "EUR"): ...
    >>> schema = parameters_of(charge)
    >>> schema["required"], schema["properties"]["currency"]
    (['amount'], {'type': 'string', 'default': 'EUR'})
    """
    hints = _hints(fn)
    properties: dict[str, Any] = {}
    required: list[str] = []
    is_open = False
    for name, parameter in of(fn).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            is_open = True
            continue
        if name == CONTEXT:
            continue
        schema = dict(_schema_of(hints.get(name, Any)))
        if parameter.default is parameter.empty:
            required.append(name)
        elif _is_json(parameter.default):
            schema["default"] = parameter.default
        properties[name] = schema
    result: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": is_open}
    if required:
        result["required"] = required
    return result


def _hints(fn: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(fn)
    except (NameError, TypeError, AttributeError):  # names imported for type checkers only
        return {}


def _schema_of(hint: Any) -> dict[str, Any]:
    if hint is Any or hint is inspect.Parameter.empty:
        return {}
    try:
        if hint in _SIMPLE:
            return _SIMPLE[hint]
    except TypeError:
        return {}
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _schema_of(arguments[0])
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin in (typing.Union, types.UnionType):
        options = [_schema_of(argument) for argument in arguments]
        return {} if {} in options else {"anyOf": options}
    if origin in (list, Sequence) or (origin is tuple and arguments[-1:] == (...,)):
        items = _schema_of(arguments[0]) if arguments else {}
        return {"type": "array", "items": items} if items else {"type": "array"}
    if origin in (dict, Mapping):
        values = _schema_of(arguments[1]) if len(arguments) == 2 else {}
        return {"type": "object", "additionalProperties": values} if values else {"type": "object"}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"enum": [member.value for member in hint]}
    return {}


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True
