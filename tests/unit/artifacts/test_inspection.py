"""What `doctor` says of artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from workflows_app.running import checkup


@pytest.fixture(autouse=True)
def _no_other_files(settings: Any) -> None:
    settings.ORCHESTRATOR_FILE_ROOT = None


def test_a_folder_that_is_still_to_be_made_is_fine(settings: Any, tmp_path: Path) -> None:
    settings.ORCHESTRATOR_ARTIFACTS = str(tmp_path / "artifacts")

    found = checkup.artifacts()

    assert found.state is checkup.Health.OK
    assert str(tmp_path / "artifacts") in found.detail
    assert not (tmp_path / "artifacts").exists()


def test_without_the_setting_there_is_a_warning(settings: Any) -> None:
    settings.ORCHESTRATOR_ARTIFACTS = None

    found = checkup.artifacts()

    assert found.state is checkup.Health.WARNING
    assert "ORCHESTRATOR_ARTIFACTS is not set" in found.detail
    assert found.mend


@pytest.mark.parametrize("where", ["relative/folder", "/a/../b", "s3://", "s3://key:secret@bucket"])
def test_a_setting_that_names_no_place_is_a_fault(settings: Any, where: str) -> None:
    settings.ORCHESTRATOR_ARTIFACTS = where

    found = checkup.artifacts()

    assert found.state is checkup.Health.FAILED
    assert "ORCHESTRATOR_ARTIFACTS" in found.detail
    assert "secret" not in found.detail


def test_a_place_that_cannot_be_written_is_a_fault(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings.ORCHESTRATOR_ARTIFACTS = str(tmp_path / "file" / "artifacts")

    found = checkup.artifacts()

    assert found.state is checkup.Health.FAILED
    assert "is no folder" in found.detail


@pytest.mark.parametrize(("artifacts", "others"), [("x", "x"), ("x/y", "x"), ("x", "x/y")])
def test_steps_files_must_not_reach_artifacts(settings: Any, tmp_path: Path, artifacts: str, others: str) -> None:
    settings.ORCHESTRATOR_ARTIFACTS = str(tmp_path / artifacts)
    settings.ORCHESTRATOR_FILE_ROOT = str(tmp_path / others)

    found = checkup.artifacts()

    assert found.state is checkup.Health.FAILED
    assert "could rewrite artifacts" in found.detail
