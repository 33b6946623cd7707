"""``join``: items of two lists brought together by equal fields.

One side is put into a table by key, the other asks it once for each item: the work is the items of both lists and of
the result, never their product.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from tasks.activities.data.identity import identity
from tasks.activities.data.paths import keys_of, read
from tasks.activities.data.place import Place

KINDS = ("inner", "left", "right", "full")
DEFAULT_PREFIX = "right_"


def join(value: Any, operation: Mapping[str, Any], place: Place) -> list[Any]:
    """The pairs in the order of the left list, then of the right; right items without a pair come at the end.

    Null and missing keys match nothing. An item without a pair has the fields of its own side only.
    """
    kind = operation.get("kind", "inner")
    left, right = list(place.mappings(value)), list(place.mappings(operation["with"], "with"))
    names = _names_of_right(left, right, operation.get("prefix", DEFAULT_PREFIX), place)
    table: dict[Hashable, list[int]] = {}
    for index, item in enumerate(place.each(right, "with")):
        key = _key(item, list(operation["on"].values()), place)
        if key is not None:
            table.setdefault(key, []).append(index)
    rows: list[dict[str, Any]] = []
    paired: set[int] = set()
    for item in place.each(left):
        key = _key(item, list(operation["on"]), place)
        matches = table.get(key, []) if key is not None else []
        for index in matches:
            _append(rows, item | _renamed(right[index], names), place)
        paired.update(matches)
        if not matches and kind in ("left", "full"):
            _append(rows, item, place)
    if kind in ("right", "full"):
        for index, item in enumerate(place.each(right, "with")):
            if index not in paired:
                _append(rows, _renamed(item, names), place)
    return rows


def _names_of_right(
    left: list[dict[str, Any]], right: list[dict[str, Any]], prefix: str, place: Place
) -> dict[str, str]:
    """What the right side's fields are called: the same in every item, whether it found a pair or not."""
    taken = {name for item in place.each(left) for name in item}
    names = {name: f"{prefix}{name}" if name in taken else name for item in place.each(right) for name in item}
    seen = set(taken)
    for name in names.values():
        if name in seen:
            place.refuse("two fields of the result have this name; choose another prefix.", name)
        seen.add(name)
    return names


def _renamed(item: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names[name]: value for name, value in item.items()}


def _key(item: Any, paths: list[str], place: Place) -> Hashable:
    parts = []
    for path in paths:
        value = read(item, keys_of(path))
        if value is None:
            return None
        parts.append(identity(value, path, place))
    return tuple(parts)


def _append(rows: list[dict[str, Any]], row: dict[str, Any], place: Place) -> None:
    place.make(0, entries=len(row))
    rows.append(row)
    place.count(len(rows))
    if len(rows) % 1_000 == 0:
        place.context.check()
