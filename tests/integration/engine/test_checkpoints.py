"""What an attempt leaves for the next one, how far it says that it is, and how long it is asked to rest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import flow
from workflows_app.activities.progress import Progress
from workflows_app.engine.errors import ActivityError, AttemptCancelled, OrchestratorError
from workflows_app.management import listing
from workflows_app.models import Checkpoint, Instance, Step
from workflows_app.selectors import results
from workflows_app.services import instances, steps, sweep
from workflows_app.services.checkpoints import AttemptCheckpoint
from workflows_app.services.steps import Claim

LEASE_IS_OVER = 20
RETRIED = """
  - id: load
    activity: core.echo
    retry: {max_attempts: 5, initial_interval: 1s, jitter: 0}
    compensate: {activity: core.echo}
"""


@pytest.fixture
def claim(driver: Driver) -> Iterator[Claim]:
    found = driver.start(flow(RETRIED), {})
    claim = driver.claim_next(found.pk)
    assert claim is not None
    return claim


def again(driver: Driver, instance_id: UUID) -> Claim:
    found = driver.claim_next(instance_id)
    assert found is not None
    return found


def fail(claim: Claim, **details: Any) -> None:
    error = {"code": "BUSY", "message": "not now", "details": details, "recoverable": True}
    steps.failed(claim=claim, error=error)


def test_the_first_attempt_finds_nothing(claim: Claim) -> None:
    assert AttemptCheckpoint(claim).load() is None


def test_the_next_attempt_goes_on_where_one_failed(driver: Driver, claim: Claim) -> None:
    AttemptCheckpoint(claim).save({"row": 400})
    AttemptCheckpoint(claim).save({"row": 500, "sum": 1.5})
    fail(claim)
    driver.advance(2)
    sweep.fire_timers()

    assert AttemptCheckpoint(again(driver, claim.instance_id)).load() == {"row": 500, "sum": 1.5}


def test_the_next_attempt_goes_on_where_one_was_lost_and_the_lost_one_replaces_nothing(
    driver: Driver, claim: Claim
) -> None:
    AttemptCheckpoint(claim).save({"row": 400})
    driver.advance(LEASE_IS_OVER)
    sweep.end_overdue_attempts()
    later = again(driver, claim.instance_id)
    AttemptCheckpoint(later).save({"row": 600})

    with pytest.raises(AttemptCancelled, match="is over"):
        AttemptCheckpoint(claim).save({"row": 401})

    assert AttemptCheckpoint(later).load() == {"row": 600}


def test_an_undo_has_a_checkpoint_of_its_own(driver: Driver, claim: Claim) -> None:
    AttemptCheckpoint(claim).save("of the action")
    steps.succeeded(claim=claim, output=1)
    found = driver.start(flow(RETRIED + "  - {id: hold, wait: {for: 1d}}", name="held"), {})
    action = again(driver, found.pk)
    AttemptCheckpoint(action).save("of the action")
    steps.succeeded(claim=action, output=1)
    instances.cancel(instance_id=found.pk, actor="ada")

    undo = again(driver, found.pk)

    assert AttemptCheckpoint(undo).load() is None
    AttemptCheckpoint(undo).save("of the undo")
    assert set(Checkpoint.objects.filter(instance=found).values_list("role", "data")) == {
        ("action", "of the action"),
        ("compensation", "of the undo"),
    }


@pytest.mark.parametrize("value", [float("nan"), {1: 2}, object(), "x" * 2_000_000, 2**70])
def test_what_cannot_be_kept_leaves_the_former_value(claim: Claim, value: Any) -> None:
    AttemptCheckpoint(claim).save("before")

    with pytest.raises(OrchestratorError):
        AttemptCheckpoint(claim).save(value)

    assert AttemptCheckpoint(claim).load() == "before"


def test_progress_is_shown_while_the_attempt_runs_and_after(driver: Driver, claim: Claim) -> None:
    told = steps.renew(
        instance_id=claim.instance_id,
        path=claim.path,
        number=claim.number,
        progress=Progress(done=30, total=100, message="rows"),
    )
    steps.renew(instance_id=claim.instance_id, path=claim.path, number=claim.number)

    view = results.instance_view(claim.instance_id)
    assert told is False
    assert view["attempts"][0]["progress"] == {"done": 30, "total": 100, "message": "rows"}
    assert "30 of 100: rows" in listing.details(view)


def test_a_lost_attempt_reports_nothing(driver: Driver, claim: Claim) -> None:
    driver.advance(LEASE_IS_OVER)
    sweep.end_overdue_attempts()

    told = steps.renew(instance_id=claim.instance_id, path=claim.path, number=claim.number, progress=Progress(done=1))

    assert told is None
    assert results.instance_view(claim.instance_id)["attempts"][0]["progress"] is None


@pytest.mark.parametrize(
    ("asked", "seconds"), [(90, 90), (0.2, 1), (None, 1), ("soon", 1), (True, 1), (-5, 1), (10**9, 86_400)]
)
def test_an_error_that_asks_for_a_rest_gets_it_for_a_day_at_most(
    driver: Driver, claim: Claim, asked: Any, seconds: float
) -> None:
    fail(claim, **({} if asked is None else {"retry_after": asked}))

    step = Step.objects.get(instance_id=claim.instance_id, path="load")
    assert step.due_at == driver.now + timedelta(seconds=seconds)


def test_no_rest_outlasts_the_deadline_of_the_step(driver: Driver) -> None:
    def busy(claim: Claim) -> None:
        raise ActivityError("come back later", code="BUSY", details={"retry_after": 3600})

    driver.perform = {"load": busy}
    found = driver.start(flow(RETRIED.replace("retry:", "deadline: 10m\n    retry:")), {})

    ended = driver.run(found)

    assert (ended["state"], ended["error"]["code"]) == ("failed", "DEADLINE_EXCEEDED")
    assert Instance.objects.get(pk=found.pk).ended_at == found.started_at + timedelta(minutes=10)
