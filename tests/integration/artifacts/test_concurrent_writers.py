"""Several sessions that write at once: one content is kept once, and the quota holds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connections

from tests.integration.artifacts.conftest import ONE, files
from tests.integration.robustness.conftest import committed_db, fresh_sessions  # noqa: F401
from tests.services.processes import PATIENCE
from workflows_app.artifacts import store
from workflows_app.engine.errors import ActivityError
from workflows_app.models import Artifact
from workflows_app.services import definitions, instances

WRITERS = 6


@pytest.fixture
def instance(committed_db: None, root: Path) -> UUID:  # noqa: F811
    definitions.publish(text=ONE, actor="ada")
    return instances.start(name="one", actor="ada").pk


def together(work: Callable[[int], Any]) -> list[Any]:
    """Run ``work`` in sessions of their own that begin at once; return what each returned or raised."""
    start, results = threading.Barrier(WRITERS), [None] * WRITERS

    def run(number: int) -> None:
        try:
            start.wait(PATIENCE)
            results[number] = work(number)
        except BaseException as problem:
            results[number] = problem
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads), "a session waits for ever"
    return results


def keep(instance: UUID, content: bytes, name: str) -> Any:
    return store.store(content, instance_id=instance, step="one", name=name, media_type="text/plain")


def test_writers_of_the_same_content_share_it(instance: UUID, root: Path) -> None:
    content = b"x" * 2_000_000

    references = together(lambda number: keep(instance, content, f"{number}.txt"))

    assert sorted(reference.name for reference in references) == [f"{number}.txt" for number in range(WRITERS)]
    assert len({reference.digest for reference in references}) == 1
    assert Artifact.objects.filter(instance_id=instance).count() == 1
    assert files(root) == [references[0].digest]
    for reference in references:
        assert b"".join(store.open(reference.as_dict(), reader=instance)) == content


def test_the_quota_holds_whoever_comes_first(instance: UUID, root: Path, settings: Any) -> None:
    settings.ORCHESTRATOR_ARTIFACTS_MAX_BYTES = 30

    results = together(lambda number: keep(instance, b"ten bytes" + bytes([number]), "x"))

    refused = [result for result in results if isinstance(result, ActivityError)]
    assert [error.code for error in refused] == ["ARTIFACTS_FULL"] * 3
    assert sum(Artifact.objects.filter(instance_id=instance).values_list("size", flat=True)) == 30
    assert len(files(root)) == 3
