"""A folder for artifacts, a worker that keeps them, and steps that write and read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tasks.activities import http_transport
from tests.integration.activities.conftest import Site, site  # noqa: F401
from tests.integration.driver import Driver
from tests.integration.engine.outcomes import flow
from tests.integration.working import Worker, make_worker
from workflows_app.models import Artifact

ONE = flow("  - {id: one, activity: core.echo}", head="input: {}", name="one")


def rows(instance_id: UUID) -> list[tuple[str, int, str, str]]:
    """What is known of an instance's artifacts: name, size, media type and step."""
    found = Artifact.objects.filter(instance_id=instance_id).order_by("id")
    return list(found.values_list("name", "size", "media_type", "step"))


def files(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*") if path.is_file())


@pytest.fixture
def root(tmp_path: Path, settings: Any) -> Path:
    """Where artifacts lie; it is made by the first of them."""
    settings.ORCHESTRATOR_ARTIFACTS = str(tmp_path / "artifacts")
    return tmp_path / "artifacts"


@pytest.fixture
def file_root(tmp_path: Path, settings: Any) -> Path:
    """Where file.* works."""
    settings.ORCHESTRATOR_FILE_ROOT = str(tmp_path / "files")
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


@pytest.fixture
def instance(driver: Driver, root: Path) -> UUID:
    """A running instance."""
    return driver.start(ONE).pk


@pytest.fixture
def other(driver: Driver, root: Path) -> UUID:
    """Another one of the same workflow."""
    return driver.start(ONE).pk


@pytest.fixture
def worker(driver: Driver, root: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    settings.ORCHESTRATOR_EGRESS_ALLOW = ["127.0.0.1"]
    yield make_worker(monkeypatch)
    http_transport.close_all()
