"""``celery.task``: an existing Celery task as a step, run inside the attempt; no message, no result backend."""

from __future__ import annotations

import inspect
from typing import Any

from celery import Task, current_app
from celery.exceptions import Ignore, Reject, Retry

from workflows_app.activities import ActivityError, activity

# Packages whose tasks move the orchestrator itself; a step that ran one would reach around the engine.
_OWN_PACKAGES = ("orchestrator", "workflows_app", "tasks")
_LIBRARY = "tasks.activities"


@activity(
    "celery.task",
    version="1.0.0",
    description="Runs a task that is registered with the workers' Celery application.",
    parameters={
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "minLength": 1, "description": "The task's registered name."},
            "args": {"type": ["array", "null"]},
            "kwargs": {"type": ["object", "null"]},
        },
        "additionalProperties": False,
    },
    effects=True,
    category="integration",
)
def run(*, name: str, args: list[Any] | None = None, kwargs: dict[str, Any] | None = None) -> Any:
    """Call the task's function here and now and return its result.

    Retries are the step's: what the task raises fails the attempt, also when it asks Celery for a retry.

    Raises:
        ActivityError: UNKNOWN_TASK, TASK_NOT_ALLOWED, INVALID_PARAMETERS (none recoverable), TASK_GAVE_UP when
            the task raised Celery's Ignore, Reject or Retry; anything else comes as the task raised it.
    """
    task = _task(name)
    positional, named = list(args or ()), dict(kwargs or {})
    try:
        inspect.signature(task.run).bind(*positional, **named)
    except TypeError as error:
        raise ActivityError(
            f"The task {name} does not take these arguments: {error}.", code="INVALID_PARAMETERS", recoverable=False
        ) from error
    try:
        return task(*positional, **named)
    except (Ignore, Reject, Retry) as error:
        # Raised through, these would tell the worker to drop the message of the step itself.
        raise ActivityError(
            f"The task {name} ended with {type(error).__name__}: {error}",
            code="TASK_GAVE_UP",
            details={"effect": "unknown"},
        ) from error


def _task(name: str) -> Task[Any, Any]:
    task = current_app.tasks.get(name)
    if task is None:
        raise ActivityError(
            f"No task {name!r} is registered with the workers' Celery application.",
            code="UNKNOWN_TASK",
            recoverable=False,
        )
    if name.startswith("celery.") or _is_own(type(task).__module__) or _is_own(getattr(task.run, "__module__", "")):
        raise ActivityError(
            f"The task {name} belongs to the orchestrator itself and is not a step's to run.",
            code="TASK_NOT_ALLOWED",
            recoverable=False,
        )
    return task


def _is_own(module: str) -> bool:
    return module.partition(".")[0] in _OWN_PACKAGES and not module.startswith(_LIBRARY)
