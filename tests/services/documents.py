"""Definitions that the fault and acceptance tests run, in the words of the language."""

from __future__ import annotations

from typing import Any

# Less than the minute from which steps go to the queue for long work, and time for a broker to be started anew.
TIMEOUT = "55s"


def effect(name: str, **more: Any) -> dict[str, Any]:
    """A step with one visible effect and an undo for it."""
    return {
        "id": name,
        "activity": "test.effect",
        "with": {"value": name},
        "timeout": TIMEOUT,
        "compensate": {"activity": "test.undo", "with": {"value": "${ output.value }"}},
        **more,
    }


def perform(name: str, activity: str, /, *, parameters: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A step that performs an activity."""
    return {"id": name, "activity": activity, "with": parameters or {}, "timeout": TIMEOUT, **more}


def block(name: str, gate: str = "${ input.gate }", **more: Any) -> dict[str, Any]:
    """A step that waits until the test opens its gate."""
    return perform(name, "test.block", parameters={"name": gate}, **more)


def workflow(name: str, *steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"workflow": name, "version": "1.0.0", **more, "steps": list(steps)}


BLOCKED = workflow("blocked", effect("before"), block("held"), effect("after"))
"""Held in the middle until the test opens the gate, with an effect on either side."""

SAGA = workflow(
    "saga",
    effect("reserve"),
    effect("charge"),
    perform("refuse", "core.fail", parameters={"code": "REFUSED", "message": "as asked", "recoverable": False}),
)
"""Two effects, a failure, two undos."""

CHAIN = workflow("chain", effect("first"), effect("second"), effect("third"))
