"""``data.transform`` and ``data.validate``: data brought into shape and checked, without touching anything outside.

What an operation or a rule may say is in ``shapes``; what it does is in a module of its own. Every loop over items
gives way to a stop request, and no input however small makes more than ``place`` allows.
"""

from __future__ import annotations

from typing import Any

from tasks.activities.data import operations as steps
from tasks.activities.data import shapes, validation
from workflows_app.activities import ActivityContext, activity


@activity(
    "data.transform",
    version="1.0.0",
    description="Filters, maps, sorts, groups, joins and formats data.",
    parameters=shapes.TRANSFORM,
    effects=False,
    category="data",
)
def transform(*, input: Any, operations: list[dict[str, Any]], context: ActivityContext) -> dict[str, Any]:
    """Perform operations one after the other, each on the result of the one before.

    Args:
        input: any JSON value; mostly a list of mappings.
        operations: mappings with the key ``op`` and what it takes.
        context: the attempt.

    Returns:
        ``{result}``: what the last operation made, the input without operations.

    Raises:
        ActivityError: TRANSFORM_FAILED (not recoverable); the message and ``details`` say which operation failed on
            which item and field.
        AttemptCancelled: when told to stop.
    """
    return {"result": steps.run(input, operations, context)}


@activity(
    "data.validate",
    version="1.0.0",
    description="Checks data against rules.",
    parameters=shapes.VALIDATE,
    effects=False,
    category="data",
)
def validate(
    *,
    input: list[Any] | dict[str, Any],
    rules: list[dict[str, Any]],
    context: ActivityContext,
    on_invalid: str = "fail",
) -> dict[str, Any]:
    """Ask every rule about every item, and tell the valid from the invalid ones.

    Args:
        input: the items; a mapping is one item.
        rules: mappings with the keys ``field``, ``check`` and what it takes.
        context: the attempt.
        on_invalid: ``fail``, or ``report`` to complete whatever was found.

    Returns:
        ``{valid, invalid, warnings, summary}``: the valid items; the invalid ones, each with its index and problems;
        the warnings about valid ones; and ``{total, valid, invalid, error_rate}``.

    Raises:
        ActivityError: DATA_INVALID (not recoverable) if an item is invalid and ``on_invalid`` is ``fail``, with the
            summary and the first invalid items in ``details``; INVALID_PARAMETERS (not recoverable) for a pattern,
            schema or expression that cannot be used; TOO_MANY_PROBLEMS (not recoverable) if there are more than a
            result could hold.
        AttemptCancelled: when told to stop.
    """
    items = [input] if isinstance(input, dict) else input
    is_fatal = on_invalid == "fail"
    verdict = validation.judge(items, rules, context, all_invalid=not is_fatal)
    if is_fatal and verdict["invalid"]:
        raise validation.failure(verdict)
    return verdict
