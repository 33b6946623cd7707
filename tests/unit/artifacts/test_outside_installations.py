"""An activity performed without an installation, as in a test of one's own, keeps no artifacts and says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from workflows_app.activities import ActivityContext, ActivityError

CONTEXT = ActivityContext(
    instance_id="i-1",
    workflow="orders",
    version="1.0.0",
    correlation_id=None,
    step="pay",
    attempt=1,
    idempotency_key="i-1:pay:0",
)


@pytest.mark.parametrize(
    "use",
    [
        lambda: CONTEXT.artifacts.write(b"content", name="a"),
        lambda: CONTEXT.artifacts.read({}),
        lambda: CONTEXT.artifacts.stream({}),
    ],
    ids=["write", "read", "stream"],
)
def test_every_use_is_refused(use: Callable[[], object]) -> None:
    with pytest.raises(ActivityError) as refused:
        use()

    assert (refused.value.code, refused.value.recoverable) == ("ARTIFACTS_NOT_ALLOWED", False)
