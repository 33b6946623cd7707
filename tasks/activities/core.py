"""The smallest activities: they show, delay, fail and log, and touch nothing outside."""

from __future__ import annotations

import json
import time
from typing import Any

from workflows_app.activities import ActivityContext, ActivityError, activity

_SLICE = 0.1  # seconds between two looks at the stop request


@activity(
    "core.echo",
    version="1.0.0",
    description="Returns its parameters.",
    parameters={"type": "object"},
    effects=False,
    category="core",
)
def echo(**parameters: Any) -> dict[str, Any]:
    """Return the parameters as the result."""
    return parameters


@activity(
    "core.sleep",
    version="1.0.0",
    description="Holds the worker for some seconds; a wait step holds nothing.",
    parameters={
        "type": "object",
        "required": ["seconds"],
        "properties": {"seconds": {"type": "number", "minimum": 0, "description": "How long, in seconds."}},
        "additionalProperties": False,
    },
    effects=False,
    category="core",
)
def sleep(*, seconds: float, context: ActivityContext) -> dict[str, Any]:
    """Sleep in slices, so that a stop request ends it early.

    Raises:
        AttemptCancelled: when told to stop.
    """
    end = time.monotonic() + seconds
    while True:
        context.check()
        left = end - time.monotonic()
        if left <= 0:
            return {"seconds": seconds}
        time.sleep(min(left, _SLICE))


@activity(
    "core.fail",
    version="1.0.0",
    description="Fails with a given error, always or until some attempt.",
    parameters={
        "type": "object",
        "properties": {
            "code": {"type": "string", "minLength": 1, "maxLength": 100},
            "message": {"type": "string", "maxLength": 10_000},
            "recoverable": {"type": "boolean", "description": "False forbids another attempt."},
            "until_attempt": {
                "type": ["integer", "null"],
                "description": "Fails while the attempt's number is below it; without it, always.",
            },
            "output": {"description": "The result once it no longer fails."},
        },
        "additionalProperties": False,
    },
    effects=False,
    category="core",
)
def fail(
    *,
    context: ActivityContext,
    code: str = ActivityError.code,
    message: str = "The step was told to fail.",
    recoverable: bool = True,
    until_attempt: int | None = None,
    output: Any = None,
) -> Any:
    """Raise the described error, or return ``output`` from attempt ``until_attempt`` on.

    Raises:
        ActivityError: with the given code, message and recoverability.
    """
    if until_attempt is not None and context.attempt >= until_attempt:
        return output
    raise ActivityError(message, code=code, recoverable=recoverable)


@activity(
    "core.log",
    version="1.0.0",
    description="Writes a message to the log of the attempt and of the worker.",
    parameters={
        "type": "object",
        "required": ["message"],
        "properties": {"message": {"description": "Text, or any value."}},
        "additionalProperties": False,
    },
    effects=False,
    category="core",
)
def log(*, message: Any, context: ActivityContext) -> dict[str, Any]:
    """Log the message with the instance and step it belongs to, and return it."""
    context.log.info(message if isinstance(message, str) else json.dumps(message, ensure_ascii=False))
    return {"message": message}
