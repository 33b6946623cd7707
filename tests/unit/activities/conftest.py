"""An attempt to hand to activities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from workflows_app.activities import ActivityContext


@pytest.fixture
def attempt() -> Callable[..., ActivityContext]:
    def make(**changes: Any) -> ActivityContext:
        given: dict[str, Any] = {
            "instance_id": "i-1",
            "workflow": "orders",
            "version": "1.0.0",
            "correlation_id": "c-1",
            "step": "pay",
            "attempt": 1,
            "idempotency_key": "i-1:pay:0",
        }
        return ActivityContext(**(given | changes))

    return make
