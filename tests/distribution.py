"""Which worker of pytest-xdist performs which tests.

Tests of real processes start brokers, databases and workers of ours: one worker performs all of them, one after the
other, so that they share what was started and do not disturb each other. The other workers perform the rest meanwhile,
file by file, so that what the tests of a module share is made once; whoever is done first takes the next file.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

REAL_PROCESSES = (
    "tests/acceptance/",
    "tests/faults/",
    "tests/services/",
    "tests/integration/activities/messages/",
    "tests/integration/canvas/test_real_chords.py",
    "tests/integration/test_redis_broker.py",
)
MOST_WORKERS = 8
"""Each has a PostgreSQL, and all of them wait in the end for the one that performs the tests of real processes."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Workers for ``-n auto``: one waits most of its time, so there are two also where there is one processor."""
    return max(2, min(os.cpu_count() or 1, MOST_WORKERS))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Distribute by file, and the tests of real processes as one; they come first in the order of collection."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "real processes" if nodeid.startswith(REAL_PROCESSES) else super()._split_scope(nodeid)

    config.option.loadscopereorder = False
    return Scheduling(config, log)
