"""Paths: where in a value something stands, such as ``user.address.city`` or ``lines[0].sku``.

A path reads the keys of mappings and the entries of lists, never an attribute of a Python object. What is not there
reads as null.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

_NAME = r"[^.\[\]{}]+"
NAME_PATTERN = f"^{_NAME}$"
"""One key of a mapping."""
PATH = rf"{_NAME}(?:\[[0-9]{{1,9}}\])*(?:\.{_NAME}(?:\[[0-9]{{1,9}}\])*)*"
PATH_PATTERN = f"^{PATH}$"
_PART = re.compile(rf"\[([0-9]+)\]|({_NAME})")

Keys = tuple[str | int, ...]


@lru_cache(maxsize=1024)
def keys_of(path: str) -> Keys:
    """The keys that lead along a path, which the schema of the parameters has checked.

    >>> keys_of("lines[0].sku")
    ('lines', 0, 'sku')
    """
    return tuple(int(part[1]) if part[1] else part[2] for part in _PART.finditer(path))


def last_name(path: str) -> str:
    """The last name in a path, which is what a value read there is called.

    >>> last_name("user.address.city"), last_name("tags[0]")
    ('city', 'tags')
    """
    return str([key for key in keys_of(path) if isinstance(key, str)][-1])


def read(value: Any, keys: Keys) -> Any:
    """What stands at the end of the path; ``None`` where the path leads nowhere.

    >>> read({"lines": [{"sku": "tea"}]}, keys_of("lines[0].sku")), read({}, keys_of("__class__.__name__"))
    ('tea', None)
    """
    for key in keys:
        if not _has(value, key):
            return None
        value = value[key]
    return value


def changed(value: Any, keys: Keys, change: Callable[[Any], Any]) -> Any:
    """The value with ``change`` applied at the end of the path; what is missing or null there stays as it is.

    Args:
        value: any JSON value; it is not modified, what leads to the place is copied.
        keys: the path.
        change: gives the new value for the old one.
    """
    if not keys:
        return None if value is None else change(value)
    if not _has(value, keys[0]):
        return value
    copy = value.copy()
    copy[keys[0]] = changed(value[keys[0]], keys[1:], change)
    return copy


def _has(value: Any, key: str | int) -> bool:
    if isinstance(key, int):
        return isinstance(value, list) and key < len(value)
    return isinstance(value, dict) and key in value
