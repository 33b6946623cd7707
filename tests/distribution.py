"""Which worker of pytest-xdist performs which tests, and in which order.

Tests of real processes start brokers, databases and workers of ours, and mostly wait for them. They make groups; one
worker performs a group's tests, one after the other, so that they share what was started and do not disturb each
other. The other workers perform the rest meanwhile, file by file, so that what the tests of a module share is made
once; whoever is done first takes the next file. What takes longest begins first: the groups, then the files of random
tests, so that no worker is left with a long file when the others have nothing left to do.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

REAL_PROCESSES = {
    # What takes longest of the faults, beside what takes least long otherwise.
    "up": ("tests/acceptance/test_up.py", "tests/faults/test_failpoints_between_commits.py"),
    "faults": (
        "tests/faults/",
        "tests/services/",
        "tests/integration/activities/messages/",
        "tests/integration/robustness/test_archives_and_processes.py",
        "tests/integration/robustness/test_calls_and_processes.py",
    ),
    "acceptance": (
        "tests/acceptance/",
        "tests/integration/canvas/test_real_chords.py",
        "tests/integration/test_redis_broker.py",
    ),
}
LONG = ("tests/unit/engine/transitions/", "tests/integration/hot_path/", "tests/integration/examples/")
MOST_WORKERS = 8
"""Each has a PostgreSQL, and all of them wait in the end for those that perform the tests of real processes."""


def group(nodeid: str) -> str | None:
    """The group of real processes that a test belongs to, if any: the first that names the beginning of its path."""
    return next((name for name, begins in REAL_PROCESSES.items() if nodeid.startswith(begins)), None)


def _place(item: pytest.Item) -> int:
    found = group(item.nodeid)
    if found is not None:
        return list(REAL_PROCESSES).index(found)
    return len(REAL_PROCESSES) + (not item.nodeid.startswith(LONG))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes longest first; otherwise the order stays, which has tests of one database before those of many."""
    items.sort(key=_place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Workers for ``-n auto``: one for each group, which mostly waits, and one at least for the rest."""
    return max(len(REAL_PROCESSES) + 1, min(os.cpu_count() or 1, MOST_WORKERS))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Distribute by file, and the groups of real processes each as one, in the order of collection."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid) or super()._split_scope(nodeid)

    config.option.loadscopereorder = False
    return Scheduling(config, log)
