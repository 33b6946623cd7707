"""Values by name: the arguments, and what the repetitions around a place call their element."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from workflows_app.engine.templates.notation import Keys, Test

ABSENT: Final = object()
"""Stands for a value that is not there, which is not the same as null."""

Scope = Mapping[str, Any]


def look_up(scope: Scope, keys: Keys) -> tuple[Any, int]:
    """Return what the keys lead to, and how many of them led somewhere.

    >>> look_up({"a": {"b": [1]}}, ("a", "b", 0)), look_up({"a": {}}, ("a", "b"))[1]
    ((1, 3), 1)
    """
    value: Any = scope
    for number, key in enumerate(keys):
        found = isinstance(value, list) and key < len(value) if isinstance(key, int) else _has(value, key)
        if not found:
            return ABSENT, number
        value = value[key]
        if value is ABSENT:
            return ABSENT, number
    return value, len(keys)


def _has(value: Any, key: str) -> bool:
    return isinstance(value, Mapping) and key in value


def holds(test: Test, scope: Scope) -> bool:
    """Whether the entries below an ``if`` or ``unless`` are taken.

    >>> holds(Test(("mode",), "mode", "fast", False), {"mode": "fast"}), holds(Test(("x",), "x", None, True), {})
    (True, True)
    """
    value, _ = look_up(scope, test.keys)
    if test.word is None:
        found = value is not ABSENT and value not in (None, False, "") and value != [] and value != {}
    else:
        found = value is not ABSENT and as_text(value) == test.word
    return found is not test.negated


def as_text(value: Any) -> str | None:
    """Return a scalar as it stands among text; ``None`` for what has no one spelling there: a list or a mapping.

    >>> as_text(True), as_text(1.5), as_text("a"), as_text([1])
    ('true', '1.5', 'a', None)
    """
    if isinstance(value, str):
        return value
    return None if isinstance(value, list | dict) else as_json(value)


def as_json(value: Any) -> str:
    """Return a value as JSON text in one line; expressions read it as a constant."""
    return json.dumps(value, ensure_ascii=False)
