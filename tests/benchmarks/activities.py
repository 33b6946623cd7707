"""What our workers perform in W5c; they load it through ``ORCHESTRATOR_ACTIVITIES=tests.benchmarks.activities``."""

from __future__ import annotations

from typing import Any

from tests.benchmarks import payload
from tests.benchmarks.documents import REVISING
from workflows_app.activities import activity


@activity(
    REVISING,
    version="1.0.0",
    description="Returns the records with one field of one of them changed.",
    parameters={"type": "object", "required": ["data"], "properties": {"data": {"type": "array"}}},
    effects=False,
)
def count(data: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the records, one field changed."""
    return {"data": payload.changed(data)}
