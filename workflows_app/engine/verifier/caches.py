"""Caches: a step whose result may be another step's has done nothing itself, so there is nothing of it to undo."""

from __future__ import annotations

from collections.abc import Iterator

from workflows_app.engine.errors import Problem
from workflows_app.engine.verifier.outline import Outline


def problems(outline: Outline) -> Iterator[Problem]:
    """Yield ``CACHE_WITH_COMPENSATE`` for steps that have both: the undo would undo what another instance did."""
    for placed in outline.steps.values():
        if placed.step.cache is not None and placed.step.compensate is not None:
            message = (
                "a step with `cache` cannot have `compensate`: a reused result is another step's work, not to undo"
            )
            yield Problem(code="CACHE_WITH_COMPENSATE", path=placed.path("cache"), message=message)
