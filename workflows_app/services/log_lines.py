"""The log of an attempt: lines are gathered in memory and written in batches, beside all transactions of its step.

They are no history and nothing decides by them. Whoever writes them never fails over it: what cannot be written is told
to the worker's log. An attempt that says nothing costs nothing.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.transaction import atomic

from workflows_app.services.claims import Claim

log = logging.getLogger(__name__)

LOGGER_LENGTH = 100
_LEVELS = (
    (logging.CRITICAL, "critical"),
    (logging.ERROR, "error"),
    (logging.WARNING, "warning"),
    (logging.INFO, "info"),
)


@dataclass(frozen=True, slots=True)
class _Line:
    ordinal: int
    said: float
    level: str
    logger: str
    text: str


class LogLines:
    """The lines of one attempt. Any thread may add some; those that write wait for each other.

    Args:
        claim: the attempt.
        mask: takes what nobody may read out of a text.
    """

    def __init__(self, claim: Claim, mask: Callable[[str], str] = lambda text: text) -> None:
        self._claim = claim
        self._mask = mask
        self._ordinals = itertools.count(1)
        self._lines: list[_Line] = []
        self._writing = threading.Lock()

    def add(self, level: int, logger: str, text: str) -> None:
        """Keep a line; one that is too long is cut and says so, and after the last one that there may be comes a note.

        Args:
            level: as the standard library numbers them.
            logger: who says it.
            text: of one line or several.
        """
        ordinal, most = next(self._ordinals), settings.ORCHESTRATOR_LOG_LINES
        if ordinal > most + 1 or most <= 0:
            return
        if ordinal == most + 1:
            level, logger = logging.WARNING, __name__
            text = f"{most} lines are kept of an attempt; what it said after them is in the log of its worker."
        shown = _cut(self._mask(text), settings.ORCHESTRATOR_LOG_LINE_LENGTH)
        self._lines.append(_Line(ordinal, time.monotonic(), level_name(level), logger[:LOGGER_LENGTH], shown))

    def write(self) -> None:
        """Write what has come since the last time. What an outage keeps from being written is tried again next time."""
        if not self._lines:
            return
        with self._writing:
            batch = self._lines[:]
            try:
                self._insert(batch)
            except (DatabaseError, InterfaceError) as problem:
                claim = self._claim
                log.warning("the log of %s in %s cannot be written: %s", claim.path, claim.instance_id, problem)
                if not connection.in_atomic_block:
                    connection.close()
            else:
                del self._lines[: len(batch)]

    def _insert(self, batch: list[_Line]) -> None:
        claim, now = self._claim, time.monotonic()
        # A savepoint where the caller has a transaction open, so that a failure here does not break it.
        with atomic() if connection.in_atomic_block else nullcontext(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT wf_log(%s, %s, %s, %s, %s, %s, %s, %s)",
                [
                    claim.instance_id,
                    claim.path,
                    claim.number,
                    [line.ordinal for line in batch],
                    [now - line.said for line in batch],
                    [line.level for line in batch],
                    [line.logger for line in batch],
                    [line.text for line in batch],
                ],
            )


def level_name(level: int) -> str:
    """Return the standard level at or below a number.

    >>> level_name(20), level_name(25), level_name(50), level_name(5)
    ('info', 'info', 'critical', 'debug')
    """
    return next((name for number, name in _LEVELS if level >= number), "debug")


def _cut(text: str, length: int) -> str:
    r"""Return a text as it may be stored: without control characters but for new lines, and not too long.

    Of one that is too long both ends are kept: a traceback says at its end what it is about.

    >>> _cut("loaded\x00 3\nrows", 100), _cut("abcdefghij", 4)
    ('loaded  3\nrows', 'ab … 6 characters … ij')
    """
    left_out = len(text) - length
    if left_out > 0:
        half = length // 2
        text = f"{text[: length - half]} … {left_out} characters … {text[len(text) - half :]}"
    return "".join(c if c.isprintable() or c in "\n\t" else " " for c in text)
