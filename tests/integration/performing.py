"""A driver's steps performed for real: each with its registered activity and a worker's context."""

from __future__ import annotations

from typing import Any

from tests.integration.driver import Perform
from workflows_app.activities import ActivityContext, registry
from workflows_app.services.steps import Claim


def perform(claim: Claim) -> Any:
    """Perform one claimed step."""
    context = ActivityContext(
        instance_id=str(claim.instance_id),
        workflow=claim.workflow,
        version=claim.version,
        correlation_id=claim.correlation_id,
        step=claim.path,
        attempt=claim.number,
        idempotency_key=claim.idempotency_key,
        role=claim.role.value,
        deadline_seconds=claim.timeout,
    )
    return registry.get(claim.activity).perform(claim.parameters, context)


class Registered(dict[str, Perform]):
    """Performs every step so, but those that a test gives another function for."""

    def get(self, path: str, default: Any = None) -> Perform:
        return super().get(path, perform)
