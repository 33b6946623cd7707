"""Claims and leases: one of many wins, a stale attempt changes nothing, and the database decides as the engine does."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.integration.driver import Driver
from workflows_app.engine.transitions import StepClaimed, decide
from workflows_app.models import Attempt, Dispatch, Event, Instance, Step
from workflows_app.selectors import results
from workflows_app.services import graphs, slices, steps, sweep

DOCUMENT = """
workflow: w
version: 1.0.0
steps:
  - {id: a, activity: core.echo, with: {x: 1}, retry: {max_attempts: 2, jitter: 0}, timeout: 30s}
  - {id: b, activity: core.echo}
"""


@pytest.fixture
def started(driver: Driver) -> Instance:
    return driver.start(DOCUMENT)


def claim(instance: Instance, generation: int = 1, path: str = "a") -> steps.Claim | None:
    return steps.claim(instance_id=instance.pk, path=path, generation=generation, worker="w")


def rows(instance: Instance) -> list[object]:
    """Everything that is stored of an instance, to show that nothing changed."""
    return [
        list(model.objects.filter(instance=instance).order_by("pk").values())
        for model in (Step, Attempt, Event, Dispatch)
    ]


def test_the_same_message_fifty_times_is_one_claim(started: Instance) -> None:
    claims = [claim(started) for _ in range(50)]

    assert len([c for c in claims if c]) == 1
    assert Attempt.objects.count() == 1


def test_made_up_messages_claim_nothing_and_change_nothing(started: Instance) -> None:
    before = rows(started)

    assert claim(started, generation=7) is None
    assert claim(started, path="b") is None
    assert claim(started, path="nobody") is None
    assert steps.claim(instance_id=uuid4(), path="a", generation=1, worker="w") is None
    assert rows(started) == before


def test_the_database_claims_exactly_as_the_engine_decides(started: Instance) -> None:
    graph = graphs.of_version(started.definition_version_id)
    slice_, now = slices.load(started.pk, graph, ["a"], [])
    decided = decide(slice_, StepClaimed(step="a", worker="w"), now=now)

    claim(started)

    event = Event.objects.filter(instance=started).order_by("sequence").last()
    assert event is not None
    expected = decided.events[0]
    assert (event.sequence, event.type, event.step, event.at) == (
        expected.sequence, expected.type, expected.step, expected.at,
    )  # fmt: skip
    assert event.data == dict(expected.data)
    stored, _ = slices.load(started.pk, graph, ["a"], [])
    assert stored.steps["a"] == decided.after.steps["a"]


def test_a_stale_attempt_changes_no_row(driver: Driver, started: Instance) -> None:
    first = claim(started)
    driver.advance(9)
    sweep.end_overdue_attempts()
    second = claim(started, generation=2)
    before = rows(started)

    accepted = steps.succeeded(claim=first, output="too late")

    assert not accepted
    assert rows(started) == before
    assert steps.renew(instance_id=started.pk, path="a", number=first.number) is None
    assert steps.succeeded(claim=second, output="in time")
    assert results.instance_view(started.pk)["attempts"][0]["state"] == "lost"


def test_a_lost_attempt_goes_on_with_the_same_key_and_does_not_count(driver: Driver, started: Instance) -> None:
    first = claim(started)

    for generation in (2, 3, 4):
        driver.advance(9)
        assert sweep.end_overdue_attempts() == (1, 0)
        again = claim(started, generation=generation)
        assert again is not None
        assert again.idempotency_key == first.idempotency_key
        assert again.parameters == {"x": 1}
    assert Step.objects.get(path="a").failures == 0


def test_a_step_that_kills_its_workers_is_quarantined_after_five(driver: Driver, started: Instance) -> None:
    for generation in range(1, 6):
        assert claim(started, generation=generation)
        driver.advance(9)
        sweep.end_overdue_attempts()

    view = results.instance_view(started.pk)
    assert view["error"]["code"] == "QUARANTINED"
    assert view["state"] == "failed"


def test_a_renewed_lease_keeps_the_attempt_until_its_time_out(driver: Driver, started: Instance) -> None:
    held = claim(started)

    for _ in range(4):
        driver.advance(7)
        assert steps.renew(instance_id=started.pk, path="a", number=held.number) is False
        assert sweep.end_overdue_attempts() == (0, 0)
    driver.advance(3)
    ended = sweep.end_overdue_attempts()

    assert ended == (0, 1)
    assert results.instance_view(started.pk)["attempts"][0]["error"]["code"] == "TIMEOUT"
    assert Step.objects.get(path="a").effect_unknown


def test_a_queue_takes_no_more_messages_than_its_window(driver: Driver, settings) -> None:
    settings.ORCHESTRATOR_WINDOW = 3

    for _ in range(5):
        driver.start(DOCUMENT)

    assert Dispatch.objects.filter(published_at__isnull=False).count() == 3
    assert Dispatch.objects.filter(published_at__isnull=True).count() == 2


def test_a_wide_parallel_joins_once(driver: Driver) -> None:
    branches = ", ".join(f"b{n}: [{{id: s{n}, activity: core.echo}}]" for n in range(200))
    instance = driver.start(
        f"workflow: wide\nversion: 1.0.0\nsteps:\n  - {{id: p, parallel: {{branches: {{{branches}}}}}}}\n"
        "  - {id: after, activity: core.echo}"
    )

    driver.drain()

    assert Event.objects.filter(instance=instance, type="step.scheduled", step="after").count() == 1
    assert results.instance_view(instance.pk)["state"] == "completed"


def test_a_worker_without_the_activity_leaves_the_step_waiting_with_that_reason(
    driver: Driver, started: Instance
) -> None:
    held = claim(started)
    error = {"code": "EXECUTOR_NOT_FOUND", "message": "not here", "details": {}, "recoverable": True}

    steps.postponed(claim=held, error=error, seconds=10)

    step = Step.objects.get(path="a")
    assert (step.state, step.error["code"], step.failures) == ("retrying", "EXECUTOR_NOT_FOUND", 0)
    assert driver.run(started)["state"] == "completed"
