"""Operations that look at one item at a time.

Those that make an item from an item also take a mapping in the place of a list: it counts as the only item, and the
result is a mapping again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tasks.activities.data import dates, formulas, texts
from tasks.activities.data.paths import Keys, changed, keys_of, read
from tasks.activities.data.place import Place
from workflows_app.engine.errors import ExpressionError
from workflows_app.engine.expressions import Expression
from workflows_app.engine.schemas.messages import describe


def map_items(value: Any, operation: Mapping[str, Any], place: Place) -> Any:
    """Each item becomes a mapping of computed fields, or one computed value."""
    expressions = {
        name: _compiled(source, name, place)
        for name, source in operation.get("fields", {"value": operation.get("value")}).items()
    }

    def change(item: Any, index: int) -> Any:
        computed = {}
        for name, expression in expressions.items():
            computed[name], made = _evaluate(expression, item, index, name, place)
            place.make(made, entries=1)
        return computed if "fields" in operation else computed["value"]

    if isinstance(value, dict):
        return change(value, 0)
    return [change(item, index) for index, item in enumerate(place.each(value))]


def filter_items(value: Any, operation: Mapping[str, Any], place: Place) -> list[Any]:
    """The items for which the expression is true, in their order."""
    where = _compiled(operation["where"], "where", place)
    kept = []
    for index, item in enumerate(place.each(value)):
        holds, _ = _evaluate(where, item, index, "where", place)
        if not isinstance(holds, bool):
            place.refuse(f"must be true or false, found {describe(holds)}.", "where")
        if holds:
            kept.append(item)
    return kept


def limit(value: Any, operation: Mapping[str, Any], place: Place) -> list[Any]:
    """The first items."""
    return [item for index, item in enumerate(place.each(value)) if index < operation["count"]]


def template(value: Any, operation: Mapping[str, Any], place: Place) -> Any:
    """A text about each item: in a field of it, or in its place."""
    default: str | None = operation.get("default")
    into: str | None = operation.get("into")

    def change(item: dict[str, Any]) -> Any:
        def text_at(path: str, keys: Keys) -> str:
            found = read(item, keys)
            if found is not None:
                return _made(texts.as_text(found), place)
            if default is None:
                place.refuse("is missing or null, and the operation has no default.", path)
            return _made(default, place)

        text = _made(texts.fill(operation["text"], text_at), place)
        return text if into is None else item | {into: text}

    return _each_mapping(value, change, place)


def split(value: Any, operation: Mapping[str, Any], place: Place) -> Any:
    """The parts of a text between separators, as a list; null gives null."""
    path, by, into = operation["field"], operation["by"], operation["into"]

    def parts(text: str) -> list[str]:
        place.make(len(text), entries=text.count(by) + 1)
        return text.split(by)

    return _each_mapping(value, lambda item: item | {into: _of_text(item, path, parts, place)}, place)


def concat(value: Any, operation: Mapping[str, Any], place: Place) -> Any:
    """Several fields as one text; null and missing ones are left out."""
    paths, by, into = operation["fields"], operation["by"], operation["into"]

    def change(item: dict[str, Any]) -> dict[str, Any]:
        parts = []
        for path in paths:
            found = read(item, keys_of(path))
            if isinstance(found, list | dict):
                place.refuse(f"needs a text, a number or a boolean, found {describe(found)}.", path)
            if found is not None:
                parts.append(_made(texts.as_text(found), place))
        place.make(len(by) * len(parts))
        return item | {into: by.join(parts)}

    return _each_mapping(value, change, place)


def upper(value: Any, operation: Mapping[str, Any], place: Place) -> Any:
    """Texts in capital letters, where they stand."""
    return _letters(value, operation, place, str.upper)


def lower(value: Any, operation: Mapping[str, Any], place: Place) -> Any:
    """Texts in small letters, where they stand."""
    return _letters(value, operation, place, str.lower)


def format_date(value: Any, operation: Mapping[str, Any], place: Place) -> Any:
    """A time written for people; null gives null."""
    path, form, into = operation["field"], operation["format"], operation["into"]
    try:
        at = dates.zone(operation.get("timezone", "UTC"))
    except ValueError as fault:
        place.refuse(str(fault), "timezone")

    def written(text: str) -> str:
        try:
            return _made(dates.format_time(text, form, at), place)
        except ExpressionError as fault:
            place.refuse(fault.message, path)
        except OverflowError:
            place.refuse("the time zone moves the time out of the years 1 to 9999.", path)

    return _each_mapping(value, lambda item: item | {into: _of_text(item, path, written, place)}, place)


def rename(value: Any, operation: Mapping[str, Any], place: Place) -> Any:
    """Fields under other names, at their places; two fields may not get the same name."""
    names: Mapping[str, str] = operation["fields"]

    def change(item: dict[str, Any]) -> dict[str, Any]:
        renamed: dict[str, Any] = {}
        for name, found in item.items():
            new = names.get(name, name)
            if new in renamed:
                place.refuse("two fields would have this name.", new)
            renamed[new] = found
        return renamed

    return _each_mapping(value, change, place)


def select(value: Any, operation: Mapping[str, Any], place: Place) -> Any:
    """Only the named fields, in the order in which they are named; what an item lacks it goes on lacking."""
    names: list[str] = operation["fields"]
    return _each_mapping(value, lambda item: {name: item[name] for name in names if name in item}, place)


def remove_nulls(value: Any, operation: Mapping[str, Any], place: Place) -> Any:
    """Any value without the fields that are null, at every depth; entries of lists stay."""
    if isinstance(value, list):
        return [_without_nulls(item, place) for item in place.each(value)]
    return _without_nulls(value, place)


def _without_nulls(value: Any, place: Place) -> Any:
    if not isinstance(value, dict | list):
        return value
    place.make(0, entries=1 + len(value))  # a value may hold one part many times; each becomes a copy of its own
    if isinstance(value, list):
        return [_without_nulls(entry, place) for entry in value]
    return {name: _without_nulls(found, place) for name, found in value.items() if found is not None}


def _each_mapping(value: Any, change: Callable[[dict[str, Any]], Any], place: Place) -> Any:
    def changed_item(item: dict[str, Any]) -> Any:
        place.make(0, entries=len(item))
        return change(item)

    if isinstance(value, dict):
        return changed_item(value)
    return [changed_item(item) for item in place.mappings(value)]


def _letters(value: Any, operation: Mapping[str, Any], place: Place, change: Callable[[str], str]) -> Any:
    def changed_item(item: dict[str, Any]) -> dict[str, Any]:
        for path in operation["fields"]:
            item = changed(item, keys_of(path), partial(in_letters, path))
        return item

    def in_letters(path: str, found: Any) -> str:
        return _made(change(_text(found, path, place)), place)

    return _each_mapping(value, changed_item, place)


def _of_text(item: dict[str, Any], path: str, change: Callable[[str], Any], place: Place) -> Any:
    found = read(item, keys_of(path))
    return None if found is None else change(_text(found, path, place))


def _text(value: Any, path: str, place: Place) -> str:
    if not isinstance(value, str):
        place.refuse(f"needs a text, found {describe(value)}.", path)
    return value


def _made(text: str, place: Place) -> str:
    place.make(len(text))
    return text


def _compiled(source: str, field: str, place: Place) -> Expression:
    try:
        return formulas.compiled(source)
    except ExpressionError as fault:
        place.refuse(fault.message, field)


def _evaluate(expression: Expression, item: Any, index: int, field: str, place: Place) -> tuple[Any, int]:
    try:
        return formulas.evaluate(expression, item, index, place.context)
    except ExpressionError as fault:
        place.refuse(fault.message, field)
