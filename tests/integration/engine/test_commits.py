"""Law 2: an outcome and what follows from it commit together, and messages leave only after the commit."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from tests.integration.driver import Driver
from workflows_app import dispatch
from workflows_app.engine.transitions import AttemptSucceeded
from workflows_app.models import Attempt, Dispatch, Event, Instance, Step
from workflows_app.services import decisions, instances, steps

DOCUMENT = "workflow: w\nversion: 1.0.0\nsteps:\n  - {id: a, activity: core.echo}\n  - {id: b, activity: core.echo}"


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The steps that were sent to the broker, in order."""
    sent: list[str] = []

    def publish(instance_id: Any, graph: Any, dispatches: Any) -> bool:
        sent.extend(d.step for d in dispatches)
        return True

    monkeypatch.setattr(dispatch, "publish", publish)
    return sent


def test_messages_leave_after_the_commit(
    driver: Driver, published: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks() as after_start:
        instance = driver.start(DOCUMENT)
    held = steps.claim(instance_id=instance.pk, path="a", generation=1, worker="w")
    with django_capture_on_commit_callbacks() as after_outcome:
        steps.succeeded(claim=held, output=None)
    before = list(published)

    for callback in after_start + after_outcome:
        callback()

    assert before == []
    assert published == ["a", "b"]


def test_an_outcome_whose_consequences_cannot_be_stored_is_not_stored_either(driver: Driver) -> None:
    instance = driver.start(DOCUMENT)
    held = steps.claim(instance_id=instance.pk, path="a", generation=1, worker="w")
    events = Event.objects.count()

    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE workflows_app_dispatch ADD CONSTRAINT no_more CHECK (path <> 'b') NOT VALID")
    with pytest.raises(DatabaseError), transaction.atomic():
        decisions.take(instance_id=instance.pk, occurrence=AttemptSucceeded(step="a", number=1, output="done"))
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE workflows_app_dispatch DROP CONSTRAINT no_more")

    assert Step.objects.get(path="a").state == "running"
    assert Attempt.objects.get().state == "running"
    assert Event.objects.count() == events
    assert not Dispatch.objects.exists()
    assert steps.succeeded(claim=held, output="done")


def test_a_start_that_the_broker_does_not_take_is_kept_and_sent_later(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    def unreachable(*_: Any) -> Any:
        raise OSError("connection refused")

    monkeypatch.setattr(dispatch, "send", unreachable)

    with django_capture_on_commit_callbacks(execute=True):
        instance = driver.start(DOCUMENT)

    assert Instance.objects.get(pk=instance.pk).state == "running"
    assert Dispatch.objects.get().published_at is None


def test_a_refused_command_changes_nothing(driver: Driver) -> None:
    instance = driver.start(DOCUMENT)
    driver.drain()
    events = Event.objects.count()

    with pytest.raises(Exception, match="completed"):
        instances.terminate(instance_id=instance.pk, actor="ada")

    assert Event.objects.count() == events
