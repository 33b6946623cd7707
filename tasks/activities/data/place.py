"""Where a transformation stands: which operation, which item; what it may still make; and how it fails there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

from workflows_app.activities import ActivityContext, ActivityError
from workflows_app.engine import values
from workflows_app.engine.schemas.messages import describe

MAX_ITEMS = 100_000
"""Items of one list."""
MAX_SIZE = 20_000_000
"""Characters and entries of a value between two operations, and characters that one operation may make."""
SLOT = 16
"""Characters that one entry of a new list or mapping counts for."""
CHECK_EVERY = 1_000
"""Items between two looks at the stop request."""


class Place:
    """One operation at work.

    Args:
        number: the operation's number, from 0.
        op: its name.
        context: the attempt.
    """

    def __init__(self, number: int, op: str, context: ActivityContext) -> None:
        self.number = number
        self.op = op
        self.context = context
        self.item: int | None = None
        self._of = ""
        self._made = 0

    def each(self, items: Any, of: str = "") -> Iterator[Any]:
        """Yield the items of a list and remember which one is at hand; look at the stop request now and then.

        Args:
            items: must be a list.
            of: names the parameter that the list comes from, where it is not the value itself.

        Raises:
            ActivityError: TRANSFORM_FAILED if it is no list or too long.
            AttemptCancelled: when told to stop.
        """
        self.item, self._of = None, of
        if not isinstance(items, list):
            self.refuse(f"needs a list, found {describe(items)}.")
        self.count(len(items))
        for index, item in enumerate(items):
            if index % CHECK_EVERY == 0:
                self.context.check()
            self.item = index
            yield item
        self.item, self._of = None, ""

    def mappings(self, items: Any, of: str = "") -> Iterator[dict[str, Any]]:
        """As ``each``, of a list that holds only mappings."""
        for item in self.each(items, of):
            if not isinstance(item, dict):
                self.refuse(f"must be a mapping, found {describe(item)}.")
            yield item

    def count(self, items: int, field: str | None = None) -> None:
        """Refuse a list that is too long."""
        if items > MAX_ITEMS:
            self.refuse(f"has more than {MAX_ITEMS:,} items.", field)

    def make(self, characters: int, *, entries: int = 0) -> None:
        """Charge what the operation makes, so that no small input becomes a huge result."""
        self._made += characters + SLOT * entries
        if self._made > MAX_SIZE:
            self.refuse(f"makes more than {MAX_SIZE:,} characters; an entry counts as {SLOT}.")

    def check(self, value: Any, field: str | None = None) -> None:
        """Refuse a value that is too large or too deep to go on with.

        Parts that a value holds many times count each time: the next operation may walk over all of them.
        """
        self.context.check()
        if isinstance(value, list):
            self.count(len(value), field)
        if not values.is_small(value, MAX_SIZE):
            for fault in values.faults(value, path=field or "", max_bytes=MAX_SIZE):
                self.refuse(f"{fault.message}.", fault.path or field)

    def refuse(self, reason: str, field: str | None = None) -> NoReturn:
        """Fail the attempt at this place.

        Raises:
            ActivityError: TRANSFORM_FAILED, not recoverable.
        """
        where = f"operations[{self.number}] ({self.op})"
        details: dict[str, Any] = {"operation": self.number, "op": self.op}
        if self.item is not None:
            details["item"] = self.item
            where += f", item {self.item}{f' of {self._of}' if self._of else ''}"
        if field is not None:
            details["field"] = field
            where += f", field {field}"
        raise ActivityError(f"{where}: {reason}", code="TRANSFORM_FAILED", details=details, recoverable=False)
