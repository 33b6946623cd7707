"""Which fields a form makes of a JSON Schema: one for each property, those of objects inside it included."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workflows_app.engine.values import join_path

MOST_FIELDS = 60
"""A schema with more properties is filled in as one JSON text."""
DEEPEST = 3
"""Objects further inside are written as JSON."""
SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A property that gets a field.

    Args:
        keys: the names of the objects around it, outer before inner, then its own.
        schema: its own.
        required: whether it, and every object around it, has to be there.
        around: the titles of the objects around it, outer before inner.
    """

    keys: tuple[str, ...]
    schema: Mapping[str, Any]
    required: bool
    around: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Where its value stands, as problems name it."""
        return join_path("", *self.keys)

    @property
    def title(self) -> str:
        return str(self.schema.get("title") or _readable(self.keys[-1]))


def _readable(name: str) -> str:
    """Return a property's name as people read it, where it is written in lower case.

    >>> _readable("postal_code"), _readable("orderId"), _readable("x")
    ('Postal code', 'orderId', 'X')
    """
    if not SNAKE_CASE.fullmatch(name):
        return name
    words = name.replace("_", " ")
    return words[0].upper() + words[1:]


def places(schema: Any) -> list[Place] | None:
    """Return the properties that get fields; ``None`` where the input is one JSON text."""
    if not _has_properties(schema):
        return None
    found = list(_inside(schema, Place(keys=(), schema=schema, required=True)))
    return found if len(found) <= MOST_FIELDS else None


def _inside(schema: Mapping[str, Any], around: Place) -> Iterator[Place]:
    required = schema.get("required", ())
    titles = (*around.around, around.title) if around.keys else ()
    for name, inner in schema["properties"].items():
        place = Place(
            keys=(*around.keys, name),
            schema=inner if isinstance(inner, Mapping) else {},
            required=around.required and name in required,
            around=titles,
        )
        if len(place.keys) < DEEPEST and _has_properties(inner) and "default" not in inner:
            yield from _inside(inner, place)
        else:
            yield place


def _has_properties(schema: Any) -> bool:
    """Whether a schema is of an object that says what is in it."""
    if not isinstance(schema, Mapping) or schema.get("type") != "object":
        return False
    return isinstance(schema.get("properties"), Mapping) and 0 < len(schema["properties"]) <= MOST_FIELDS


def objects(found: list[Place], schema: Mapping[str, Any]) -> set[tuple[str, ...]]:
    """Return the keys of the objects that have to be there even if nothing in them is filled in."""
    wanted: set[tuple[str, ...]] = {()}
    for place in found:
        inner: Any = schema
        for depth, name in enumerate(place.keys[:-1], 1):
            if name not in inner.get("required", ()):
                break
            wanted.add(place.keys[:depth])
            inner = inner["properties"][name]
    return wanted
