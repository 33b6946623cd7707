"""Tallies: how many steps a worker has completed and failed since it started, over all processes of its pool.

Each process of the pool counts in a place of its own in memory that it shares with the main process since before it was
forked. Nothing is locked: one that is killed in the midst holds up none of the others.
"""

from __future__ import annotations

import threading
from multiprocessing.sharedctypes import RawArray

from billiard import current_process

PLACES = 1024
COMPLETED, FAILED = 0, 1

_counted = RawArray("Q", 2 * PLACES)
_mine = threading.Lock()


def count(what: int) -> None:
    """Count a step that has ended: ``COMPLETED`` or ``FAILED``."""
    place = (getattr(current_process(), "index", None) or 0) % PLACES
    with _mine:  # threads of this process
        _counted[2 * place + what] += 1


def total(what: int) -> int:
    """Return how many there were in all processes of the pool."""
    return sum(_counted[what::2])
