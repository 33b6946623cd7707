"""What an installation keeps beside its database: one holder at a time, and secrets that stay the same."""

import stat
from pathlib import Path

import pytest

from workflows_app.running import secrets, state_lock


def test_a_second_start_in_the_same_folder_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    refused = pytest.raises(state_lock.AlreadyRunningError, match=r"process \d+")
    with state_lock.held(tmp_path), refused, state_lock.held(tmp_path):
        pytest.fail("two at once")

    with state_lock.held(tmp_path):
        pass


def test_a_generated_secret_is_long_private_and_the_same_ever_after(tmp_path: Path) -> None:
    path = tmp_path / "var" / "secret_key"

    first = secrets.generated(path, length=64)

    assert len(first) == 64
    assert secrets.generated(path, length=64) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secret_key"]
