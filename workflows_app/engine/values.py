"""JSON values at the boundary: what may be stored, the place of what may not, and one canonical text.

PostgreSQL's ``jsonb`` knows no NaN, no infinity, no NUL and no lone surrogate; other languages read integers as 64 bit.
Everything that enters the product passes ``faults`` or ``encode`` once, so that nothing inside has to ask again.
"""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import orjson

from workflows_app.engine.errors import OrchestratorError

MAX_DEPTH = 100
"""How many mappings and lists may stand inside each other."""
INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1

_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*\Z")
_LONGEST_KEY = 80
_MOST_KEYS = 20

_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)

_STRICT = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_DATACLASS
)
_DIGITS_ALIKE = bytes.maketrans(b"0123456789", b"0000000000")
_NINETEEN = b"0" * 19
_CONTAINERS = frozenset({dict, list, tuple})
_PLAIN = frozenset({str, int, float, bool, type(None), *_CONTAINERS})

_Link = tuple[Any, str | int] | None
"""A place as a chain (parent link, key): cheap to grow, spelled out only for a fault."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason why a value is not storable JSON: code, path (``a.b[2]``) and a sentence without the path."""

    code: str
    path: str
    message: str


def join_path(path: str, *keys: str | int) -> str:
    """Extend a path for people: names after a dot, indices and unusual names in brackets.

    >>> join_path("steps", 2, "with", "order"), join_path("", "a"), join_path("input", "first name")
    ('steps[2].with.order', 'a', 'input["first name"]')
    """
    for key in keys:
        if isinstance(key, int):
            path += f"[{key}]"
        elif _PLAIN_KEY.match(key):
            path = f"{path}.{key}" if path else key
        else:
            shown = key if len(key) <= _LONGEST_KEY else key[:_LONGEST_KEY] + "…"
            path += f"[{json.dumps(shown)}]"
    return path


def spell(path: str, keys: Sequence[str | int]) -> str:
    """Extend a path by many keys, cut short where nobody would read on.

    >>> spell("", ["a"] * 40)
    'a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a…'
    """
    shown = join_path(path, *keys[:_MOST_KEYS])
    return shown if len(keys) <= _MOST_KEYS else shown + "…"


def faults(value: Any, *, path: str = "", max_depth: int = MAX_DEPTH, max_bytes: int | None = None) -> Iterator[Fault]:
    """Yield every reason why ``value`` cannot be stored, in the order of the text; nothing when it can.

    Args:
        value: anything; mappings must be ``dict``, sequences ``list`` or ``tuple``.
        path: prefix of the reported places.
        max_depth: allowed nesting; what lies deeper is reported once per branch and not entered.
        max_bytes: stops with ``TOO_LARGE`` as soon as the JSON text must exceed this many bytes. Without it a
            value that shares parts of itself many times is walked as often as it would be written.
    """
    seen_bytes = 0
    stack: list[tuple[Any, _Link, int]] = [(value, None, 0)]
    while stack:
        node, link, depth = stack.pop()
        kind = type(node)
        seen_bytes += 1
        if kind is str or isinstance(node, str):
            seen_bytes += len(node) + 1
            if "\x00" in node:
                yield Fault("NOT_JSON", _spell(path, link), "text must not contain the NUL character")
            elif not _encodable(node):
                yield Fault("NOT_JSON", _spell(path, link), "text must not contain a lone surrogate")
        elif node is None or kind is bool:
            pass
        elif isinstance(node, int):
            if not INTEGER_MIN <= node <= INTEGER_MAX:
                yield Fault("INTEGER_RANGE", _spell(path, link), "whole numbers must fit into 64 bit")
        elif isinstance(node, float):
            if node != node or node in (float("inf"), float("-inf")):
                yield Fault("NOT_JSON", _spell(path, link), "NaN and infinity are not JSON numbers")
        elif isinstance(node, dict | list | tuple):
            seen_bytes += 1
            if max_bytes is not None and seen_bytes + len(node) > max_bytes:
                yield Fault("TOO_LARGE", path, f"is larger than {max_bytes} bytes as JSON")
                return
            if depth >= max_depth:
                yield Fault("TOO_DEEP", _spell(path, link), f"is nested more than {max_depth} levels deep")
            elif isinstance(node, dict):
                for key, child in reversed(node.items()):
                    if not isinstance(key, str):
                        yield Fault("NOT_JSON", _spell(path, link), f"keys must be text, found {_shown_key(key)}")
                        continue
                    seen_bytes += len(key) + 3
                    if "\x00" in key or not _encodable(key):
                        yield Fault("NOT_JSON", _spell(path, link), "a key contains NUL or a lone surrogate")
                    stack.append((child, (link, key), depth + 1))
            else:
                stack.extend((node[index], (link, index), depth + 1) for index in reversed(range(len(node))))
        else:
            yield Fault("NOT_JSON", _spell(path, link), f"a {kind.__name__} is not a JSON value")
        if max_bytes is not None and seen_bytes > max_bytes:
            yield Fault("TOO_LARGE", path, f"is larger than {max_bytes} bytes as JSON")
            return


def encode(value: Any, *, limit_bytes: int, what: str) -> str:
    """Return the canonical JSON text of ``value``: sorted keys, no spaces, characters unescaped.

    Args:
        value: a JSON value.
        limit_bytes: largest allowed size of the text in UTF-8 bytes.
        what: names the value in the refusal, for example ``the input``.

    Raises:
        OrchestratorError: code ``NOT_JSON``, ``INTEGER_RANGE`` or ``TOO_LARGE``; ``details.path`` is the place.

    >>> encode({"b": 1, "a": ["é", None]}, limit_bytes=100, what="the input")
    '{"a":["é",null],"b":1}'
    """
    text = _written(value, limit_bytes)
    if text is None:
        for fault in faults(value, max_bytes=limit_bytes):
            code = "NOT_JSON" if fault.code == "TOO_DEEP" else fault.code
            place = f" at {fault.path}" if fault.path else ""
            raise OrchestratorError(f"{what}{place}: {fault.message}", code=code, details={"path": fault.path})
        text = _ENCODER.encode(value)
    size = len(text) if text.isascii() else len(text.encode())
    if size > limit_bytes:
        message = f"{what}: has {size} bytes as JSON, the limit is {limit_bytes}"
        raise OrchestratorError(message, code="TOO_LARGE", details={"path": "", "bytes": size, "limit": limit_bytes})
    return text


def _written(value: Any, limit_bytes: int) -> str | None:
    """Write a value that is plainly sound; ``None`` if only ``faults`` can tell. Nearly all values pass here, faster.

    >>> _written({"a": [1, "é"]}, 99), _written({"a": 2**80}, 99), _written({1: "a"}, 99), _written([float("nan")], 99)
    ('{"a":[1,"é"]}', None, None, None)
    """
    if not is_small(value, limit_bytes):
        return None
    try:
        raw = orjson.dumps(value, option=_STRICT)
        if b"null" in raw:  # it writes this for NaN too
            _ENCODER.encode(value)
    except (TypeError, ValueError, RecursionError):
        return None
    return None if b"\\u0000" in raw or has_long_number(raw) else raw.decode()


def is_small(value: Any, limit_bytes: int) -> bool:
    """Whether a value is made of JSON's own types, not too deep and, counted roughly, not too large.

    Parts that a value shares count each time, and before they are looked at: what doubles at every level ends early.
    The collector's view of containers is a fast one: items of lists and tuples, values of dicts.
    """
    level: list[Any] = [value]
    seen = 0
    for _ in range(MAX_DEPTH + 1):
        # Most levels are of few types: what is asked of each value in turn is what costs.
        kinds = set(map(type, level))
        if not kinds <= _PLAIN:
            return False
        if str in kinds:
            seen += sum([len(each) for each in level if type(each) is str])
        if kinds.isdisjoint(_CONTAINERS):
            return seen <= limit_bytes
        containers = level if kinds <= _CONTAINERS else [each for each in level if type(each) in _CONTAINERS]
        seen += sum(map(len, containers))
        if seen > limit_bytes:
            return False
        try:
            seen += sum(map(len, chain.from_iterable(each for each in containers if type(each) is dict)))
        except TypeError:  # a key that is not text
            return False
        if seen > limit_bytes:
            return False
        level = gc.get_referents(*containers)
    return False


def has_long_number(raw: bytes) -> bool:
    """Whether 19 digits stand in a row anywhere: an integer that may not fit into 64 bit.

    >>> has_long_number(b'{"a":9223372036854775808}'), has_long_number(b'{"a":"12345","b":678}')
    (True, False)
    """
    return _NINETEEN in raw.translate(_DIGITS_ALIKE)


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _spell(path: str, link: _Link) -> str:
    keys: list[str | int] = []
    while link is not None:
        link, key = link
        keys.append(key)
    return spell(path, keys[::-1])


def _shown_key(key: object) -> str:
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    return f"the number {key}" if isinstance(key, int | float) else f"a {type(key).__name__}"
