"""A failpoint fires as often as it says, over the death of processes, and a typing error is no silent pass."""

import os
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


def test_an_uncounted_point_fires_every_time(tmp_path):
    assert "FailpointError" in hit(tmp_path, "step.executed=raise").stderr
    assert "FailpointError" in hit(tmp_path, "step.executed=raise").stderr


@pytest.mark.parametrize("text", ["step.executed", "step.executed=explode", "=kill", "step.executed=kill@1"])
def test_an_entry_that_cannot_be_read_is_refused(text):
    with pytest.raises(ValueError, match="ORCHESTRATOR_FAILPOINTS"):
        failpoints.parse(text)
