"""A child that ends when its parent does, whatever killed it: Linux sends the signal that the child asked for."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from workflows_app.running.unprivileged import Identity

# prctl(2): PR_SET_PDEATHSIG
SET_PARENT_DEATH_SIGNAL: Final = 1
# Loaded before any fork: between fork and exec only what is already there may be used.
LIBC: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def follow_parent(sign: int, identity: Identity | None = None) -> Callable[[], None]:
    """A function to run in a new child before its program: become ``identity``, then get ``sign`` when the parent ends.

    Args:
        sign: number of the signal. On systems other than Linux nothing is asked for; there the watchdog cleans up.
        identity: user to run as; the kernel forgets the signal when the user changes, so that comes first.
    """
    parent = os.getpid()

    def prepare() -> None:
        if identity is not None:
            os.setgroups([])
            os.setgid(identity.gid)
            os.setuid(identity.uid)
        if LIBC is not None:
            LIBC.prctl(SET_PARENT_DEATH_SIGNAL, int(sign), 0, 0, 0)
            if os.getppid() != parent:  # it died between fork and here
                os._exit(1)

    return prepare
