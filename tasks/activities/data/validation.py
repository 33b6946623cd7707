"""The verdict of ``data.validate`` over all items, and the error that it becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.activities.data.place import CHECK_EVERY
from tasks.activities.data.rules import Rule
from workflows_app.activities import ActivityContext, ActivityError
from workflows_app.engine import values

MAX_PROBLEMS = 100_000
"""Problems that one result lists."""
_SHOWN = 20
"""Invalid items that an error names."""
_SHOWN_SIZE = 200_000
"""Characters and entries of these: an error is kept with the step and shown on its page."""


def judge(
    items: list[Any], rules: Sequence[Mapping[str, Any]], context: ActivityContext, *, all_invalid: bool
) -> dict[str, Any]:
    """Ask every rule about every item.

    Args:
        items: the items.
        rules: what the schema of the parameters accepts.
        context: the attempt.
        all_invalid: whether all invalid items are listed, or only as many as an error names; all are counted.

    Returns:
        ``{valid, invalid, warnings, summary}``.

    Raises:
        ActivityError: INVALID_PARAMETERS for a rule that cannot be used, TOO_MANY_PROBLEMS if there are more than a
            result could hold.
        AttemptCancelled: when told to stop.
    """
    ready = [Rule(rule, number, context) for number, rule in enumerate(rules)]
    valid: list[Any] = []
    invalid: list[dict[str, Any]] = []
    warnings: list[dict[str, Any]] = []
    listed = 0
    for index, item in enumerate(items):
        if index % CHECK_EVERY == 0:
            context.check()
        problems = [found for rule in ready if (found := rule.problem(item, index)) is not None]
        if not any(problem["severity"] == "error" for problem in problems):
            valid.append(item)
            if problems:
                warnings.append({"index": index, "problems": problems})
        elif all_invalid or len(invalid) < _SHOWN:
            invalid.append({"index": index, "item": item, "problems": problems})
        else:
            continue
        listed += len(problems)
        if listed > MAX_PROBLEMS:
            message = f"There are more than {MAX_PROBLEMS:,} problems; no result holds as many."
            raise ActivityError(message, code="TOO_MANY_PROBLEMS", recoverable=False)
    count = len(items) - len(valid)
    summary = {
        "total": len(items),
        "valid": len(valid),
        "invalid": count,
        "error_rate": count / len(items) if items else 0.0,
    }
    return {"valid": valid, "invalid": invalid, "warnings": warnings, "summary": summary}


def failure(verdict: Mapping[str, Any]) -> ActivityError:
    """The error that says which items are invalid: how many, and the first of them as far as an error can hold them."""
    shown = list(verdict["invalid"][:_SHOWN])
    first = shown[0]
    while shown and not values.is_small(shown, _SHOWN_SIZE):
        shown.pop()
    summary = verdict["summary"]
    problem = next(each for each in first["problems"] if each["severity"] == "error")
    place = f"item {first['index']}" + (f", field {problem['field']}" if problem["field"] else "")
    return ActivityError(
        f"{summary['invalid']} of {summary['total']} items are invalid; the first: {place}: {problem['message']}",
        code="DATA_INVALID",
        details={"summary": summary, "invalid": shown},
        recoverable=False,
    )
