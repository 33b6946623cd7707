"""JSON from outside, read so that it means one thing: NaN, infinities and a key that stands twice are refused."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any


def read(text: str | bytes) -> Any:
    """Read a JSON text (RFC 8259).

    Args:
        text: UTF-8 where it is bytes.

    Raises:
        ValueError: it is no JSON, or nests too deep, saying why.

    >>> read('{"a": [1, 2.5]}')
    {'a': [1, 2.5]}
    >>> read('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ValueError: the key 'a' stands twice
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("it nests too deep") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, number in Counter(name for name, _ in pairs).items() if number > 1)
        raise ValueError(f"the key {twice!r} stands twice")
    return found
