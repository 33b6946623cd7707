"""Keys: an idempotency key that reads nothing is known at publish, and must be one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from workflows_app.engine import expressions, idempotency
from workflows_app.engine.errors import OrchestratorError, Problem
from workflows_app.engine.verifier.outline import Outline, Placed


def problems(outline: Outline) -> Iterator[Problem]:
    """Yield ``INVALID_KEY`` for constant keys that every run of the step would fail with."""
    for placed in outline.steps.values():
        written = placed.step.idempotency_key
        if written is None:
            continue
        with suppress(OrchestratorError):
            # One that does not compile is named by the rules about expressions.
            value = expressions.compile_value(written)
            if value.is_constant:
                yield from _check(placed, value.evaluate({}))


def _check(placed: Placed, key: Any) -> Iterator[Problem]:
    try:
        idempotency.checked(key)
    except OrchestratorError as error:
        yield Problem(code="INVALID_KEY", path=placed.path("idempotency_key"), message=error.message)
