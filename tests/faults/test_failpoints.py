"""A failpoint fires as often as it says, over the death of processes, and a typing error is no silent pass."""

import os
import re
import signal
import subprocess
import sys

import pytest

from workflows_app import failpoints

HIT = "from workflows_app import failpoints; failpoints.hit('step.executed'); print('passed')"


def hit(folder, points: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "ORCHESTRATOR_FAILPOINTS": points, "ORCHESTRATOR_FAILPOINTS_DIR": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", HIT], env=environment, capture_output=True, text=True, start_new_session=True
    )


def test_nothing_happens_unless_the_environment_asks(tmp_path):
    assert hit(tmp_path, "").stdout == "passed\n"
    assert hit(tmp_path, "step.committed=kill").stdout == "passed\n"


@pytest.mark.parametrize("action", ["kill", "kill-group"])
def test_a_counted_kill_fires_once_over_restarts_of_the_process(tmp_path, action):
    first = hit(tmp_path, f"step.executed={action}@1")
    second = hit(tmp_path, f"step.executed={action}@1")

    assert first.returncode == -signal.SIGKILL
    assert second.stdout == "passed\n"


def test_a_point_that_skips_passes_fires_at_the_next_one_whatever_process_it_is_in(tmp_path):
    passes = [hit(tmp_path, "step.executed=kill@2+2") for _ in range(5)]

    assert [each.returncode for each in passes] == [0, 0, -signal.SIGKILL, -signal.SIGKILL, 0]


def test_an_uncounted_point_fires_every_time(tmp_path):
    assert "FailpointError" in hit(tmp_path, "step.executed=raise").stderr
    assert "FailpointError" in hit(tmp_path, "step.executed=raise").stderr


@pytest.mark.parametrize(
    "text", ["a", "a=explode", "=kill", "a=kill@", "a=kill@b", "a=kill@1+", "a=kill@+2", "a=kill+2"]
)
def test_an_entry_that_cannot_be_read_is_refused(tmp_path, text):
    with pytest.raises(ValueError, match=f"ORCHESTRATOR_FAILPOINTS: '{re.escape(text)}' is not name=action"):
        failpoints.parse(text, str(tmp_path))


def test_a_count_without_a_folder_for_its_markers_is_refused():
    with pytest.raises(ValueError, match="needs ORCHESTRATOR_FAILPOINTS_DIR"):
        failpoints.parse("step.executed=kill@1")
