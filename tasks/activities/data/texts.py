"""Values as text, and texts with ``{path}`` in them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from tasks.activities.data.paths import PATH, Keys, keys_of

TEMPLATE_PATTERN = r"^(?:[^{}]|\{\{|\}\}|\{" + PATH + r"\})*$"
_PLACE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


def as_text(value: Any) -> str:
    """Text as it is, everything else as JSON with sorted keys.

    >>> as_text("a"), as_text(True), as_text({"b": 1, "a": [1.5]})
    ('a', 'true', '{"a":[1.5],"b":1}')
    """
    return (
        value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    )


@lru_cache(maxsize=256)
def parts_of(template: str) -> tuple[str | tuple[str, Keys], ...]:
    """Literal texts, and the paths between them with their keys; ``{{`` and ``}}`` write braces.

    >>> parts_of("{{{user.name}}}")
    ('{', ('user.name', ('user', 'name')), '}')
    """
    parts: list[str | tuple[str, Keys]] = []
    position = 0
    for found in _PLACE.finditer(template):
        parts.append(template[position : found.start()])
        parts.append((found[1], keys_of(found[1])) if found[1] else found[0][0])
        position = found.end()
    parts.append(template[position:])
    return tuple(part for part in parts if part)


def fill(template: str, text_at: Callable[[str, Keys], str]) -> str:
    """The template with ``text_at(path, keys)`` in the place of each path."""
    return "".join(part if isinstance(part, str) else text_at(*part) for part in parts_of(template))
