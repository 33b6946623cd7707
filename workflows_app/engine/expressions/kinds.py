"""The kinds of values an expression knows, and how a field of one is read.

Values stay the plain Python objects of JSON (plus times and durations): nothing is converted on the way in, so
reading one field of a large document costs one field.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from workflows_app.engine.errors import ExpressionError

_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class Missing(ExpressionError):
    """What was read is not there; ``has`` and ``default`` absorb it."""


class NewList(list[Any]):
    """A list that the evaluation made (as against one that it was given)."""

    __slots__ = ()


class NewMap(dict[str, Any]):
    """A map that the evaluation made."""

    __slots__ = ()


class TypeName(str):
    """The answer of ``type(x)``; not equal to the string of the same letters."""

    __slots__ = ()


TYPE_NAMES: Mapping[str, str] = {
    "null_type": "null",
    "bool": "bool",
    "int": "int",
    "double": "double",
    "string": "string",
    "list": "list",
    "map": "map",
    "timestamp": "timestamp",
    "duration": "duration",
    "type": "type",
}
"""CEL's name of a type -> the kind it denotes."""

_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "bool",
    int: "int",
    float: "double",
    str: "string",
    list: "list",
    tuple: "list",
    NewList: "list",
    dict: "map",
    NewMap: "map",
    datetime.datetime: "timestamp",
    datetime.timedelta: "duration",
    TypeName: "type",
}
_FALLBACK: tuple[tuple[type, str], ...] = (
    (str, "string"),
    (Mapping, "map"),
    (int, "int"),
    (float, "double"),
    (list, "list"),
    (tuple, "list"),
    (datetime.datetime, "timestamp"),
    (datetime.timedelta, "duration"),
)


def kind_of(value: Any) -> str:
    """The kind of ``value``: null, bool, int, double, string, list, map, timestamp, duration or type.

    Raises:
        ExpressionError: a value of no such kind.

    >>> kind_of(True), kind_of(1), kind_of({})
    ('bool', 'int', 'map')
    """
    kind = _KINDS.get(type(value))
    if kind is not None:
        return kind
    for base, name in _FALLBACK:
        if isinstance(value, base):
            return name
    raise ExpressionError(f"A value of type {type(value).__name__} cannot be used in an expression.")


def a(kind: str) -> str:
    """A kind with its article, for messages.

    >>> a("int"), a("null"), a("map")
    ('an int', 'null', 'a map')
    """
    return kind if kind == "null" else f"an {kind}" if kind == "int" else f"a {kind}"


def select(value: Any, key: Any, parent: Callable[[], str]) -> Any:
    """The field or element ``key`` of ``value``.

    Args:
        value: a map (string keys) or a list (integer keys from 0).
        key: the field's name or the element's place.
        parent: gives the text of ``value``'s own path; called only to explain a failure.

    Raises:
        Missing: there is no such field or element.
        ExpressionError: the key's kind does not fit.
    """
    if type(value) is dict and type(key) is str:
        try:
            return value[key]
        except KeyError:
            raise _missing(f"it has no field {_clip(key)!r}", key, parent) from None
    kind = kind_of(value)
    key_kind = kind_of(key)
    if kind == "map" and key_kind == "string":
        if key in value:
            return value[key]
        raise _missing(f"it has no field {_clip(key)!r}", key, parent)
    if kind == "list" and key_kind == "int":
        if 0 <= key < len(value):
            return value[key]
        raise _missing(f"the list has {len(value)} elements", key, parent)
    if kind in ("map", "list"):
        raise ExpressionError(f"`{parent()}` is {a(kind)}: {a(key_kind)} does not select from it.")
    raise _missing(f"`{parent()}` is {a(kind)}", key, parent)


def _missing(reason: str, key: Any, parent: Callable[[], str]) -> Missing:
    path = path_text(parent(), (key,))
    return Missing(f"`{path}` does not exist: {reason}.", details={"path": path})


def path_text(root: str, keys: Iterable[Any]) -> str:
    """A path as one would write it.

    >>> path_text("input", ("a", 0, "b c"))
    'input.a[0]["b c"]'
    """
    text = root
    for key in keys:
        if isinstance(key, str):
            text += f".{_clip(key)}" if _FIELD.match(key) else f'["{_clip(key)}"]'
        else:
            text += f"[{key}]"
    return text


def _clip(key: str) -> str:
    return key if len(key) <= 80 else key[:80] + "…"
