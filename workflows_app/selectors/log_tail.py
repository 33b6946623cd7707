"""The tail of a log: what attempts of an instance say from now on, each line once."""

from __future__ import annotations

from collections import deque
from typing import Final
from uuid import UUID

from workflows_app.models import LogLine

LOOKS_BACK: Final = 10
"""A line is still found so many looks after one with a higher number was: workers do not commit in their order."""


class Tail:
    """The lines of an instance that have not been returned yet.

    Args:
        instance_id: whose.
        step: only those of this path.
        attempt: only those of attempts with this number.
        number: of the lines that are there already only so many, the last ones.
    """

    def __init__(self, instance_id: UUID, *, step: str | None = None, attempt: int | None = None, number: int) -> None:
        rows = LogLine.objects.filter(instance_id=instance_id)
        rows = rows if step is None else rows.filter(path=step)
        self._rows = rows if attempt is None else rows.filter(number=attempt)
        self._number = number
        self._seen: set[int] = set()
        self._highest: deque[int] = deque(maxlen=LOOKS_BACK)

    def news(self) -> list[LogLine]:
        """Return what has been said since the last look, in the order in which it was said."""
        if self._highest:
            found = [line for line in self._rows.filter(pk__gt=self._highest[0]) if line.pk not in self._seen]
        else:
            found = list(self._rows.order_by("-pk")[: self._number])
            # What is left out now stays left out.
            self._highest.append(found[-1].pk - 1 if len(found) == self._number else 0)
        keys = [line.pk for line in found]
        self._highest.append(max(self._highest[-1], *keys) if keys else self._highest[-1])
        self._seen = {key for key in (*self._seen, *keys) if key > self._highest[0]}
        return sorted(found, key=lambda line: (line.at, line.path, line.number, line.ordinal))
