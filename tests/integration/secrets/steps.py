"""Activities that give away what they were told, in every way that an activity can."""

from __future__ import annotations

import logging
import threading
from typing import Any

from workflows_app.activities import ActivityContext, ActivityError, activity

log = logging.getLogger("somebody.elses.library")

SEEN: list[dict[str, Any]] = []
"""What each call was given, in order."""


@activity("test.use", description="Remembers its parameters and returns them.")
def use(*, context: ActivityContext, **given: Any) -> Any:
    SEEN.append({"step": context.step, "role": context.role, **given})
    return given


@activity("test.tell", description="Logs its parameters, in this thread and in another one.")
def tell(*, context: ActivityContext, **given: Any) -> None:
    context.log.info("told", given=given)
    log.warning("told %s and %r", given, given)
    try:
        raise ValueError(f"never {given}")
    except ValueError:
        log.exception("a traceback")
    log.warning("a stack", stack_info=True)
    log.warning("%d is no number", given)
    other = threading.Thread(target=log.warning, args=("in a thread: %s", given))
    other.start()
    other.join()


@activity("test.remember", description="Keeps its parameters for the next attempt, in the ledger and as its progress.")
def keep(*, context: ActivityContext, key: str) -> None:
    context.checkpoint.save({"key": key})
    context.heartbeat(1, message=f"at {key}")
    with context.effects.planned("test", f"to {key}") as effect:
        effect.facts["key"] = [key]


@activity("test.break", description="Fails with its parameters in the error; the first `times` attempts.")
def break_(*, context: ActivityContext, how: str, times: int = 99, **given: Any) -> Any:
    SEEN.append({"step": context.step, "role": context.role, **given})
    if context.attempt > times:
        return "done"
    if how == "own":
        raise ActivityError(f"it broke over {given}", code="BROKEN", details={"given": given, f"key {given}": 1})
    if how == "long":
        raise ActivityError("x" * 1990 + str(given["key"]), code="BROKEN")
    if how == "large":
        raise ActivityError(f"over {given}", code="BROKEN", details={"given": [given["key"]] * 100_000})
    raise ValueError(f"it broke over {given}") from KeyError(str(given))
