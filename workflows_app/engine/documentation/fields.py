"""The input as a table: one row for each property of its JSON Schema, however deep it stands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MOST_FIELDS = 200
DEEPEST = 8
"""Properties that stand deeper are left to the schema."""

_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "from {} characters on",
    "maxLength": "up to {} characters",
    "minItems": "from {} entries on",
    "maxItems": "up to {} entries",
    "pattern": "matches {}",
    "format": "format {}",
    "const": "only {}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One row.

    Args:
        name: the way to it: ``customer.name``, ``lines[].sku``.
        type: as the schema names it; ``any`` where it is silent.
        required: whether the mapping that it belongs to demands it.
        bounds: what else its value must meet, in words, empty where nothing.
        default: JSON text, empty where there is none.
        description: the schema's words.
    """

    name: str
    type: str
    required: bool
    bounds: str
    default: str
    description: str


def fields(schema: Mapping[str, Any] | bool | None) -> list[Field]:
    """Return the rows of a schema in its order, at most ``MOST_FIELDS`` and one that says that there are more.

    >>> [(row.name, row.type, row.required) for row in fields({"required": ["a"], "properties": {
    ...     "a": {"type": "array", "items": {"properties": {"b": {"type": "string"}}}}}})]
    [('a', 'array', True), ('a[].b', 'string', False)]
    """
    if not isinstance(schema, Mapping):
        return []
    found: list[Field] = []
    for row in _below(schema, schema, "", 0):
        if len(found) == MOST_FIELDS:
            more = "There are more; the schema has them all."
            return [*found, Field(name="…", type="", required=False, bounds="", default="", description=more)]
        found.append(row)
    return found


def _below(schema: Mapping[str, Any], root: Mapping[str, Any], name: str, depth: int) -> Iterator[Field]:
    properties, items = schema.get("properties"), schema.get("items")
    if depth >= DEEPEST:
        return
    if isinstance(properties, Mapping):
        required = schema.get("required")
        needed = required if isinstance(required, list) else []
        for key, written in properties.items():
            part = _resolved(written, root)
            path = f"{name}.{key}" if name else str(key)
            yield _field(path, part, key in needed)
            yield from _below(part, root, path, depth + 1)
    if isinstance(items, Mapping):
        yield from _below(_resolved(items, root), root, f"{name}[]", depth + 1)


def _resolved(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow references inside the schema; a circle of them, or a boolean, says nothing."""
    for _ in range(DEEPEST):
        if not isinstance(schema, Mapping):
            return {}
        target = schema.get("$ref")
        if not isinstance(target, str):
            return schema
        part: Any = root
        for key in target.removeprefix("#").split("/")[1:]:
            part = part.get(key.replace("~1", "/").replace("~0", "~")) if isinstance(part, Mapping) else None
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**part, **rest} if isinstance(part, Mapping) else rest
    return {}


def _field(path: str, schema: Mapping[str, Any], required: bool) -> Field:
    written = schema.get("type", "any")
    bounds = [words.format(_shown(schema[key])) for key, words in _BOUNDS.items() if key in schema]
    if isinstance(schema.get("enum"), list):
        bounds.insert(0, f"one of {', '.join(_shown(value) for value in schema['enum'])}")
    return Field(
        name=path,
        type=" or ".join(map(str, written)) if isinstance(written, list) else str(written),
        required=required,
        bounds="; ".join(bounds),
        default=_json(schema["default"]) if "default" in schema else "",
        description=str(schema.get("description") or schema.get("title") or ""),
    )


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
