"""``aggregate``: one item for each group of items, with sums, counts and the like over its members."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple

from tasks.activities.data.identity import identity
from tasks.activities.data.ordering import kind, require_same
from tasks.activities.data.paths import Keys, keys_of, last_name, read
from tasks.activities.data.place import Place
from workflows_app.engine.values import INTEGER_MAX, INTEGER_MIN

FUNCTIONS: Mapping[str, Callable[[list[Any]], Any]] = {
    "sum": sum,
    "min": lambda found: min(found, default=None),
    "max": lambda found: max(found, default=None),
    "avg": lambda found: sum(found) / len(found) if found else None,
    "count": len,
    "first": lambda found: found[0] if found else None,
    "last": lambda found: found[-1] if found else None,
    "collect": list,
}
"""What is made of the values of a group; null and missing ones are left out before."""

EVERY_ITEM = "*"
"""The path of ``count`` that counts items, whatever they hold."""


class _Wanted(NamedTuple):
    name: str
    function: str
    path: str
    keys: Keys


class _Group(NamedTuple):
    fields: dict[str, Any]
    columns: list[list[Any]]


def aggregate(value: Any, operation: Mapping[str, Any], place: Place) -> list[Any]:
    """Groups in the order in which they first appear; null and a missing field are one and the same group."""
    by: list[str] = operation["group_by"]
    wanted = [
        _Wanted(name, function, path, keys_of(path))
        for name, chosen in operation["values"].items()
        for function, path in chosen.items()
    ]
    names = [last_name(path) for path in by]
    _distinct(names + [each.name for each in wanted], place)
    groups: dict[tuple[Hashable, ...], _Group] = {}
    for item in place.mappings(value):
        found = [read(item, keys_of(path)) for path in by]
        key = tuple(identity(each, path, place) for each, path in zip(found, by, strict=True))
        group = groups.get(key)
        if group is None:
            place.make(0, entries=len(by) + len(wanted))
            group = groups[key] = _Group(dict(zip(names, found, strict=True)), [[] for _ in wanted])
        for each, column in zip(wanted, group.columns, strict=True):
            _add(item, each, column, place)
    return [_row(group, wanted, place) for group in groups.values()]


def _distinct(names: list[str], place: Place) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            place.refuse("two fields of the result have this name.", name)


def _add(item: dict[str, Any], wanted: _Wanted, column: list[Any], place: Place) -> None:
    if wanted.function == "count" and wanted.path == EVERY_ITEM:
        column.append(True)
        return
    found = read(item, wanted.keys)
    if found is None:
        return
    if wanted.function in ("sum", "avg"):
        require_same(kind(found, wanted.path, place), "number", wanted.path, place)
    elif wanted.function in ("min", "max") and column:
        require_same(kind(found, wanted.path, place), kind(column[0], wanted.path, place), wanted.path, place)
    elif wanted.function in ("min", "max"):
        kind(found, wanted.path, place)
    column.append(found)


def _row(group: _Group, wanted: list[_Wanted], place: Place) -> dict[str, Any]:
    row = dict(group.fields)
    for each, column in zip(wanted, group.columns, strict=True):
        made = FUNCTIONS[each.function](column)
        if isinstance(made, float) and not math.isfinite(made):
            place.refuse("the numbers are too large.", each.path)
        if isinstance(made, int) and not INTEGER_MIN <= made <= INTEGER_MAX:
            place.refuse("the sum does not fit into 64 bit.", each.path)
        row[each.name] = made
    return row
