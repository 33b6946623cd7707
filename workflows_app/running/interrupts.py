"""Waiting that a signal ends at once: Ctrl-C, a polite kill, a closed terminal, or a child that ended."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Final

STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Whether somebody asked to stop, and a sleep that hears it."""

    def __init__(self) -> None:
        self.asked = False
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def sleep(self, seconds: float) -> None:
        """Wait ``seconds``, or less where a signal arrives."""
        if self.asked:
            return
        if select.select([self._reader], [], [], seconds)[0]:
            with contextlib.suppress(BlockingIOError):
                os.read(self._reader, 4096)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if number in STOPPING:
            self.asked = True

    @classmethod
    @contextlib.contextmanager
    def heard(cls) -> Iterator[Interrupts]:
        """Hear signals instead of dying of them, until the end of the block. For the main thread."""
        interrupts = cls()
        signals = (*STOPPING, signal.SIGCHLD)
        before = {number: signal.signal(number, interrupts._hear) for number in signals}
        wakeup = signal.set_wakeup_fd(interrupts._writer, warn_on_full_buffer=False)
        try:
            yield interrupts
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(interrupts._reader)
            os.close(interrupts._writer)
