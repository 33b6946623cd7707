"""One `up` at a time for each state folder; the kernel frees the lock whatever ends the holder."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


class AlreadyRunningError(RuntimeError):
    """Another process holds this state folder; the message names it."""


@contextlib.contextmanager
def held(state_dir: Path) -> Iterator[None]:
    """Hold the state folder until the end of the block.

    Raises:
        AlreadyRunningError: another process does.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    # Python's files are not inherited by children, so the lock ends with this process alone.
    with (state_dir / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip()
            raise AlreadyRunningError(
                f"It is running here already ({holder or 'by another process'}): stop that first, "
                f"or give this one a state folder of its own with ORCHESTRATOR_STATE_DIR."
            ) from error
        file.truncate(0)
        file.write(f"process {os.getpid()}")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)
