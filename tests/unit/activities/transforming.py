"""Performs data.transform, and takes its refusals apart."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tasks.activities import data  # noqa: F401
from workflows_app.activities import ActivityContext, ActivityError, registry

CONTEXT = ActivityContext(
    instance_id="i-1", workflow="w", version="1.0.0", correlation_id=None, step="s", attempt=1, idempotency_key="k"
)


def transform(value, *operations, context=CONTEXT):
    return registry.get("data.transform").perform({"input": value, "operations": list(operations)}, context)["result"]


def refused(value, *operations):
    with pytest.raises(ActivityError) as caught:
        transform(value, *operations)
    error = caught.value
    assert error.recoverable is False
    assert "Traceback" not in error.message
    return SimpleNamespace(code=error.code, message=error.message, details=error.details)


def failed(value, *operations):
    error = refused(value, *operations)
    assert error.code == "TRANSFORM_FAILED"
    return error
