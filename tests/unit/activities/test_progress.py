"""``context.heartbeat`` and ``context.checkpoint`` outside an installation."""

from __future__ import annotations

import pytest

from workflows_app.activities import ActivityContext
from workflows_app.activities.progress import Progress
from workflows_app.engine.errors import AttemptCancelled, OrchestratorError


def context(heard: list[Progress], *, told: bool = False) -> ActivityContext:
    return ActivityContext(
        instance_id="i",
        workflow="w",
        version="1.0.0",
        correlation_id=None,
        step="s",
        attempt=1,
        idempotency_key="k",
        stop_requested=lambda: told,
        report=heard.append,
    )


def test_a_heartbeat_says_how_far_the_attempt_is() -> None:
    heard: list[Progress] = []

    context(heard).heartbeat(3, 10, "loading\n\x1b[31m" + "x" * 500)

    (progress,) = heard
    assert (progress.done, progress.total) == (3, 10)
    assert progress.message.startswith("loading  [31mxxx")
    assert len(progress.message) == 200


def test_a_heartbeat_gives_way_when_told_to_stop() -> None:
    heard: list[Progress] = []

    with pytest.raises(AttemptCancelled):
        context(heard, told=True).heartbeat(1)

    assert heard == [Progress(done=1)]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        context([]).heartbeat(number)


def test_a_checkpoint_lasts_as_long_as_the_context() -> None:
    alone = context([])

    alone.checkpoint.save({"page": 3})

    assert alone.checkpoint.load() == {"page": 3}
    assert context([]).checkpoint.load() is None
    with pytest.raises(OrchestratorError):
        alone.checkpoint.save(object())
    assert alone.checkpoint.load() == {"page": 3}
