"""Leases: the process that runs a step keeps its attempt alive, learns that it should stop, and gives up when fenced.

One thread a process renews the lease of the attempt in hand. It lives in the process that performs the step, so a
killed pool child is not kept alive by its parent. When the attempt has been ended by somebody else (time-out, lease
lost), the thread interrupts the main thread, and ends the process if the step still runs after a grace period.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from workflows_app.activities.progress import Progress
from workflows_app.services import steps
from workflows_app.services.log_lines import LogLines
from workflows_app.services.steps import Claim

log = logging.getLogger(__name__)

GRACE_SECONDS = 5.0
SLOW_SECONDS = 0.02
"""A step that has run for so long is slow: steps that wait behind it in the same process had better go elsewhere."""
ABANDONED_EXIT_CODE = 70
IDLE = float("inf")
INTERRUPT = signal.SIGUSR2


class Interrupted(BaseException):
    """Raised in the main thread in the midst of a step whose attempt is over; no ``except Exception`` catches it."""


class Hold:
    """One attempt in hand; ``ended`` is when it was found to be over, on the monotonic clock.

    ``lines`` is its log, which is written with the lease.
    """

    def __init__(self, claim: Claim, slow: Callable[[], None] | None = None) -> None:
        self.claim = claim
        self.slow = slow
        self.begun = self.renewed = time.monotonic()
        self.ended: float | None = None
        self.told = False
        self.in_main_thread = threading.current_thread() is threading.main_thread()
        self.performing = False
        self.progress: Progress | None = None
        self.lines: LogLines | None = None

    def report(self, progress: Progress) -> None:
        """Keep how far the attempt is; it is written with the lease, at most once a second."""
        self.progress = progress

    def stop_requested(self) -> bool:
        """Whether the attempt was told to stop, or is over."""
        return self.told or self.ended is not None

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let the interrupt through only while activity code runs, never in the midst of our own bookkeeping."""
        self.performing = True
        try:
            yield
        finally:
            self.performing = False

    def interrupt(self) -> None:
        """Leave the activity if its attempt is over; runs in the main thread, in the midst of whatever it does."""
        if self.performing and self.ended is not None:
            self.performing = False
            raise Interrupted


class Keeper:
    """Renews the lease of the attempt in hand; its thread starts with the first one and survives no fork."""

    def __init__(self) -> None:
        self._begin_anew()
        # A forked child inherits neither the thread nor a lock that somebody may hold at that moment.
        os.register_at_fork(after_in_child=self._begin_anew)

    def _begin_anew(self) -> None:
        self._starting = threading.Lock()
        self._changed = threading.Condition()
        self._holds: list[Hold] = []
        self._thread: threading.Thread | None = None
        self._wakes_at = IDLE
        self._listens = False

    @contextmanager
    def hold(self, claim: Claim, slow: Callable[[], None] | None = None) -> Iterator[Hold]:
        """Keep the claim's lease alive as long as the block runs; ``slow`` is called once if it takes its time."""
        held = Hold(claim, slow)
        if held.in_main_thread and not self._listens:
            signal.signal(INTERRUPT, self._on_signal)
            self._listens = True
        self._start()
        with self._changed:
            self._holds.append(held)
            # The thread looks often enough to be told of no step but one with others behind it.
            if self._wakes_at > held.begun + (SLOW_SECONDS if slow else self._interval()):
                self._changed.notify()
        try:
            yield held
        finally:
            with self._changed:
                self._holds.remove(held)

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        for hold in self._holds:
            if hold.in_main_thread:
                hold.interrupt()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._holds:
                    self._wakes_at = IDLE
                    self._changed.wait()
                held = list(self._holds)
            for hold in held:
                try:
                    self._look_after(hold)
                except BaseException:  # without this thread every longer step of the process would be lost
                    log.exception("the lease of %s cannot be looked after", hold.claim.path)
            with self._changed:
                now = time.monotonic()
                slow = [hold.begun + SLOW_SECONDS for hold in self._holds if hold.slow is not None]
                self._wakes_at = min([now + self._interval() / 2, *slow])
                self._changed.wait(max(0.0, self._wakes_at - now))

    @staticmethod
    def _interval() -> float:
        return min(1.0, float(settings.ORCHESTRATOR_LEASE_SECONDS) / 4)

    def _look_after(self, hold: Hold) -> None:
        now = time.monotonic()
        if hold.slow is not None and now - hold.begun >= SLOW_SECONDS:
            slow, hold.slow = hold.slow, None
            slow()
        if hold.ended is not None:
            self._give_up(hold, now)
        elif now - hold.renewed >= self._interval():
            self._renew(hold, now)

    def _renew(self, hold: Hold, now: float) -> None:
        claim = hold.claim
        try:
            progress, hold.progress = hold.progress, None
            told = steps.renew(instance_id=claim.instance_id, path=claim.path, number=claim.number, progress=progress)
        except (DatabaseError, InterfaceError) as problem:
            connection.close()
            if now - hold.renewed > settings.ORCHESTRATOR_LEASE_SECONDS:
                log.warning("the lease of %s in %s cannot be renewed: %s", claim.path, claim.instance_id, problem)
                self._end(hold, now)
            return
        if told is None:
            self._end(hold, now)
        else:
            hold.renewed, hold.told = now, told
        if hold.lines is not None:
            hold.lines.write()

    def _end(self, hold: Hold, now: float) -> None:
        with self._changed:
            if hold not in self._holds or not hold.performing:
                return
            hold.ended = now
        if hold.in_main_thread:
            signal.pthread_kill(threading.main_thread().ident or 0, INTERRUPT)

    def _give_up(self, hold: Hold, now: float) -> None:
        with self._changed:
            still_there = hold in self._holds and hold.in_main_thread
        if still_there and hold.ended is not None and now - hold.ended > GRACE_SECONDS:
            log.error("%s in %s ignores its end; the process exits", hold.claim.path, hold.claim.instance_id)
            os._exit(ABANDONED_EXIT_CODE)


keeper = Keeper()
