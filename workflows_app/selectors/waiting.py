"""Waiting: what a pending instance waits for, in the same words on pages and at the prompt."""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST_COUNTED = 1000
"""Of those that wait before an instance, so many are counted."""
_PLAIN = re.compile(r"\$\{\s*input\.([A-Za-z_]\w*)\s*\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A place in the row of one concurrency key.

    Args:
        key: the key's value; empty where all instances of the workflow count as one.
        written: the template that it was evaluated from.
        limit: how many instances of the key may run at once.
        before: how many got into the row earlier and still wait; at most ``MOST_COUNTED`` are counted.
        granted: a slot is free for it: it is about to be started.
        holder: id of the instance that has had one of the places longest.
        held_by: id of the nearest of the instances that called it, where those hold all the places it waits for.
    """

    key: str
    written: str | None
    limit: int
    before: int
    granted: bool
    held_by: str | None = None
    holder: str | None = None

    def as_dict(self) -> dict[str, str | int | bool | None]:
        return {
            "key": self.key,
            "limit": self.limit,
            "before": self.before,
            "granted": self.granted,
            "held_by": self.held_by,
        }


def sentence(wait: Wait) -> str:
    """Say what the instance waits for.

    >>> sentence(Wait(key="4711", written="${ input.customer_id }", limit=10, before=3, granted=False))
    'Waits for one of 10 places of customer 4711; 3 before it.'
    >>> sentence(Wait(key="", written=None, limit=1, before=0, granted=False))
    'Waits for the one place of this workflow; it is the next.'
    >>> sentence(Wait(key="", written=None, limit=1, before=0, granted=False, held_by="0b5e"))
    'Waits for the one place of this workflow; 0b5e, which called it and waits for it, holds it: cancel one of them.'
    """
    if wait.granted:
        return "A place is free for it: it is about to start."
    places = "the one place" if wait.limit == 1 else f"one of {wait.limit} places"
    more = " or more" if wait.before >= MOST_COUNTED else ""
    if wait.held_by is not None:
        holds = "holds it" if wait.limit == 1 else "and those above it hold them all"
        who = f"{wait.held_by}, which called it and waits for it,"
        return f"Waits for {places} of {_whose(wait)}; {who} {holds}: cancel one of them."
    row = f"{wait.before}{more} before it" if wait.before else "it is the next"
    holder = f", held by {wait.holder}" if wait.holder and wait.limit == 1 else ""
    return f"Waits for {places} of {_whose(wait)}{holder}; {row}."


def _whose(wait: Wait) -> str:
    if wait.written is None:
        return "this workflow"
    named = _PLAIN.fullmatch(wait.written.strip())
    return f"{named[1].removesuffix('_id')} {wait.key}" if named else f"“{wait.key}”"
