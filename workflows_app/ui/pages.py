"""Pages of a history: its events are numbered without a gap, so that the number of the first one is the page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """Which events are shown, and where the pages around them begin (``None``: there is none)."""

    first: int
    last: int
    total: int
    previous: int | None
    next: int | None
    final: int


def pages_of_history(wanted: str, *, total: int, size: int) -> Pages:
    """Return the page that begins with event ``wanted``; anything that is no event's number means the first.

    Args:
        wanted: text from the address.
        total: number of events.
        size: events on a page.

    >>> page = pages_of_history("51", total=120, size=50)
    >>> page.first, page.last, page.previous, page.next, page.final
    (51, 100, 1, 101, 101)
    >>> pages_of_history("x", total=3, size=50).last
    3
    """
    short = wanted.isascii() and wanted.isdigit() and len(wanted) < 16
    first = int(wanted) if short else 1
    if not 1 <= first <= total:
        first = 1
    return Pages(
        first=first,
        last=min(total, first + size - 1),
        total=total,
        previous=max(1, first - size) if first > 1 else None,
        next=first + size if first + size <= total else None,
        final=(total - 1) // size * size + 1 if total else 1,
    )
