"""Documents and outcomes that the tests of whole runs are made of."""

from __future__ import annotations

from typing import Any

from workflows_app.engine.errors import ActivityError


def flow(steps: str, *, head: str = "", name: str = "flow") -> str:
    return f"workflow: {name}\nversion: 1.0.0\n{head}\nsteps:\n{steps}"


def fail(code: str = "BROKEN", *, recoverable: bool = True, **details: Any) -> Any:
    def perform(claim: Any) -> Any:
        raise ActivityError("it broke", code=code, recoverable=recoverable, details=details)

    return perform


def fail_times(times: int, result: Any = "done") -> Any:
    def perform(claim: Any) -> Any:
        if claim.number <= times:
            raise ActivityError("not yet", code="NOT_YET")
        return result

    return perform
