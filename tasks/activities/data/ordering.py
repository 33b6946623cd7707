"""Sorting, and which values can be put in an order at all: numbers, texts or booleans, each among themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.activities.data.paths import keys_of, read
from tasks.activities.data.place import Place


def kind(value: Any, path: str, place: Place) -> str:
    """The sort of an orderable value.

    Raises:
        ActivityError: TRANSFORM_FAILED for a list or a mapping.
    """
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "text"
    place.refuse("a list or a mapping has no order.", path)


def require_same(found: str, expected: str, path: str, place: Place) -> None:
    """Refuse a value that is of another sort than those before it."""
    if found != expected:
        place.refuse(f"a {found} cannot be compared with a {expected}.", path)


def sort(value: Any, operation: Mapping[str, Any], place: Place) -> list[Any]:
    """Put items in order by one field after the other; equal ones keep their order, null comes last.

    The last field sorts first: every sort is stable, so the earlier fields decide.
    """
    paths: list[str] = operation["by"]
    columns: list[list[Any]] = [[] for _ in paths]
    kinds: list[str | None] = [None] * len(paths)
    for item in place.mappings(value):
        for number, path in enumerate(paths):
            found = read(item, keys_of(path))
            columns[number].append(found)
            if found is not None:
                sort_of = kind(found, path, place)
                require_same(sort_of, kinds[number] or sort_of, path, place)
                kinds[number] = sort_of
    order = list(range(len(value)))
    for column in reversed(columns):
        place.context.check()
        present = [index for index in order if column[index] is not None]
        present.sort(key=column.__getitem__, reverse=operation.get("descending", False))
        order = present + [index for index in order if column[index] is None]
    return [value[index] for index in order]
