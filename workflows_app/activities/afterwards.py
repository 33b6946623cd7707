"""What an activity leaves to be done once the database has its result, or is known never to get it.

What was taken from somebody else (a message of a queue) may be acknowledged only when the result that holds it is
committed, and that is after the activity returned. So the activity leaves an ending here; whoever runs attempts calls
it. A process that dies in between calls nothing: the other side has to find out by itself that nobody answered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

log = logging.getLogger(__name__)


class Ending(Protocol):
    """Something taken that is not settled yet."""

    def recorded(self) -> None:
        """The result is committed: what was taken is the instance's now."""

    def dropped(self) -> None:
        """The result is not, and will not be, recorded: give back what was taken."""


class Afterwards:
    """The endings of one attempt, in the order in which they were left."""

    def __init__(self) -> None:
        self._endings: list[Ending] = []

    def __bool__(self) -> bool:
        return bool(self._endings)

    def leave(self, ending: Ending) -> None:
        """Have ``ending`` told how the attempt was recorded."""
        self._endings.append(ending)

    def settle(self, *, recorded: bool) -> None:
        """Tell every ending, once; one that fails is logged and keeps no other from being told."""
        endings, self._endings = self._endings, []
        for ending in endings:
            try:
                (ending.recorded if recorded else ending.dropped)()
            except Exception as error:
                # The type alone: what a broker's client says may hold the address with its password.
                log.warning("an ending was not told (%s); what was taken comes again", type(error).__name__)


@contextmanager
def settling(is_recorded: Callable[[], bool]) -> Iterator[Afterwards]:
    """The endings of an attempt that is performed and reported inside the block; they are told when it is left.

    Args:
        is_recorded: whether the attempt's own result is committed; asked only if an ending was left.
    """
    afterwards = Afterwards()
    recorded = False
    try:
        yield afterwards
        if afterwards:
            try:
                recorded = is_recorded()
            except Exception:
                # Not known counts as no: what was taken comes again, and comes twice at worst.
                log.warning("whether the attempt is recorded cannot be asked", exc_info=True)
    finally:
        afterwards.settle(recorded=recorded)
