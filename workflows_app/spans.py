"""Times and durations as people read them; always UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(at: datetime | None) -> str:
    """Return a time to the second, in UTC.

    >>> moment(datetime(2026, 3, 1, 7, 5, 9, tzinfo=UTC))
    '2026-03-01 07:05:09'
    """
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def span(start: datetime | None, end: datetime | None) -> str:
    """Return how long it took from ``start`` to ``end``; nothing where one is missing."""
    if start is None or end is None:
        return ""
    return duration((end - start).total_seconds())


def duration(seconds: float) -> str:
    """Return a duration with the two units that matter.

    >>> [duration(s) for s in (0.0004, 0.25, 3.21, 75, 7500, 200_000)]
    ['0 ms', '250 ms', '3.2 s', '1 min 15 s', '2 h 5 min', '2 d 7 h']
    """
    seconds = max(0.0, seconds)
    if seconds < 0.9995:
        return f"{round(seconds * 1000)} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    for size, unit, part, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if round(seconds) >= size:
            whole, rest = divmod(round(seconds), size)
            return f"{whole} {unit} {rest // part} {smaller}" if rest // part else f"{whole} {unit}"
    return f"{seconds:.0f} s"
