"""A root folder with a secret beside it, and what performs an activity in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.activities import files  # noqa: F401
from tests.unit.activities.files.acting import Act
from workflows_app.activities import ActivityContext, ActivityError, registry


@pytest.fixture
def root(tmp_path: Path, settings: Any) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("canary")
    settings.ORCHESTRATOR_FILE_ROOT = str(folder)
    return folder


@pytest.fixture
def act(root: Path, attempt: Callable[..., ActivityContext]) -> Act:
    def perform(name: str, parameters: dict[str, Any], **context: Any) -> Any:
        return registry.get(f"file.{name}").perform(parameters, attempt(**context))

    return perform


@pytest.fixture
def refusal(act: Act) -> Callable[..., ActivityError]:
    def perform(name: str, parameters: dict[str, Any], **context: Any) -> ActivityError:
        with pytest.raises(ActivityError) as caught:
            act(name, parameters, **context)
        return caught.value

    return perform
