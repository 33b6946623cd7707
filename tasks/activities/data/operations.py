"""The operations of ``data.transform`` by name, and how they run: each on the result of the one before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tasks.activities.data import items
from tasks.activities.data.groups import aggregate
from tasks.activities.data.joins import join
from tasks.activities.data.ordering import sort
from tasks.activities.data.place import Place
from workflows_app.activities import ActivityContext

Operation = Callable[[Any, Mapping[str, Any], Place], Any]

OPERATIONS: Mapping[str, Operation] = {
    "map": items.map_items,
    "filter": items.filter_items,
    "sort": sort,
    "aggregate": aggregate,
    "join": join,
    "template": items.template,
    "split": items.split,
    "concat": items.concat,
    "upper": items.upper,
    "lower": items.lower,
    "format_date": items.format_date,
    "remove_nulls": items.remove_nulls,
    "rename": items.rename,
    "select": items.select,
    "limit": items.limit,
}


def run(value: Any, operations: list[dict[str, Any]], context: ActivityContext) -> Any:
    """Perform the operations; the given value is not modified.

    Args:
        value: any JSON value.
        operations: what the schema of the parameters accepts.
        context: the attempt.

    Raises:
        ActivityError: TRANSFORM_FAILED, saying which operation failed on which item and field.
        AttemptCancelled: when told to stop.
    """
    for number, operation in enumerate(operations):
        place = Place(number, operation["op"], context)
        if number == 0:
            place.check(value)
        if "with" in operation:
            place.check(operation["with"], "with")
        value = OPERATIONS[operation["op"]](value, operation, place)
        place.check(value)
    return value
