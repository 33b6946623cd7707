"""A worker's attempt with real commits and a real lease: the artifact is there before its step has completed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from tasks import execution
from tests.integration.artifacts import steps as own_steps
from tests.integration.artifacts.conftest import files
from tests.integration.engine.outcomes import flow
from tests.integration.robustness.conftest import committed_db, fresh_sessions  # noqa: F401
from workflows_app import dispatch
from workflows_app.activities import registry
from workflows_app.artifacts import store
from workflows_app.artifacts.folders import Folders
from workflows_app.models import Artifact, Dispatch, Instance, Step, Timer
from workflows_app.services import definitions, instances, steps, sweep
from workflows_app.services.steps import Claim

KEEP = flow("  - {id: keep, activity: test.keep, with: {text: content}, retry: {max_attempts: 3}}", name="keep")


def claim(instance_id: UUID) -> Claim:
    row = Dispatch.objects.get(instance_id=instance_id)
    taken = steps.claim(instance_id=instance_id, path=row.path, generation=row.generation, worker="test")
    assert taken is not None
    return taken


@pytest.fixture
def instance(committed_db: None, root: Path, monkeypatch: pytest.MonkeyPatch) -> Instance:  # noqa: F811
    monkeypatch.setattr(dispatch, "send", lambda *_: None)
    assert own_steps.keep
    registry.discover()
    definitions.publish(text=KEEP, actor="ada")
    return instances.start(name="keep", actor="ada")


def test_a_worker_keeps_an_artifact_and_completes_the_step(instance: Instance, root: Path) -> None:
    execution.run(claim(instance.pk))

    instance.refresh_from_db()
    reference = Step.objects.get(instance=instance).output["artifact"]
    assert instance.state == "completed"
    assert b"".join(store.open(reference, reader=instance.pk)) == b"content"
    assert store.delete_of(instance.pk) == 1
    assert files(root) == []


def test_an_attempt_whose_outcome_is_never_recorded_leaves_content_for_the_next(
    instance: Instance, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker dies between the artifact and the completion of its step."""
    lost = claim(instance.pk)

    def dies(**_: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as broken:
        broken.setattr(execution.steps, "succeeded", dies)
        with pytest.raises(SystemExit):
            execution.run(lost)

    assert Step.objects.get(instance=instance).state == "running"
    assert Artifact.objects.filter(instance=instance).count() == len(files(root)) == 1
    steps.failed(claim=lost, error={"code": "LOST", "message": "it died", "details": {}, "recoverable": True})
    Timer.objects.filter(instance=instance).update(due_at=instance.created_at)
    sweep.fire_timers()
    execution.run(claim(instance.pk))
    instance.refresh_from_db()
    assert instance.state == "completed"
    assert Artifact.objects.filter(instance=instance).count() == len(files(root)) == 1


def ended_session() -> None:
    """End this test's session of the database from another one, as a restart of the server does."""
    pid = connection.connection.info.backend_pid
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    finally:
        other.close()


def test_a_connection_that_broke_while_content_came_in_is_made_anew(instance: Instance, root: Path) -> None:
    def arriving() -> Iterator[bytes]:
        yield b"con"
        ended_session()
        yield b"tent"

    reference = store.store(arriving(), instance_id=instance.pk, step="keep", name="a").as_dict()
    ended_session()

    assert b"".join(store.open(reference, reader=instance.pk)) == b"content"


def test_a_connection_that_breaks_after_the_content_is_in_its_place_loses_nothing(
    instance: Instance, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, breaks = Folders.place, [True]

    def place_and_break(self: Folders, *given: Any) -> None:
        place(self, *given)
        if breaks:
            breaks.pop()
            ended_session()

    monkeypatch.setattr(Folders, "place", place_and_break)

    reference = store.store(b"content", instance_id=instance.pk, step="keep", name="a").as_dict()

    assert b"".join(store.open(reference, reader=instance.pk)) == b"content"
    assert Artifact.objects.filter(instance=instance).count() == len(files(root)) == 1
