"""Windows: the stretch of time that figures are of, and the same stretch before it, which they are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from workflows_app.engine.durations import InvalidDuration, parse_duration
from workflows_app.engine.errors import InputInvalid, Problem

LONGEST = timedelta(days=400)
MOST_INTERVALS = 60
_SIZES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 3 * 60, 12 * 60, 24 * 60, 7 * 24 * 60))


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From ``since`` until just before ``until``."""

    since: datetime
    until: datetime

    @property
    def length(self) -> timedelta:
        return self.until - self.since

    @property
    def before(self) -> Window:
        """The window of the same length that ends where this one begins."""
        return Window(since=self.since - self.length, until=self.since)

    @property
    def interval(self) -> timedelta:
        """The smallest round interval of which there are not too many in the window.

        >>> at = datetime(2026, 1, 8, tzinfo=UTC)
        >>> [str(Window(since=at - timedelta(hours=h), until=at).interval) for h in (1, 24, 24 * 7, 24 * 400)]
        ['0:01:00', '1:00:00', '3:00:00', '7 days, 0:00:00']
        """
        return next(size for size in _SIZES if self.length / size <= MOST_INTERVALS)


def read(since: str, until: str, *, now: datetime) -> Window:
    """Read a window as people write it.

    Args:
        since: how long before its end it begins (``24h``, ``7d``), or when: ``2026-01-31``, ``2026-01-31T12:00`` (UTC
            where no zone is written).
        until: when it ends; empty: now.
        now: the time.

    Raises:
        InputInvalid: with code INVALID_WINDOW, naming ``since`` or ``until``.

    >>> now = datetime(2026, 1, 8, 12, tzinfo=UTC)
    >>> str(read("24h", "", now=now).since), str(read("2026-01-01", "2026-01-02", now=now).until)
    ('2026-01-07 12:00:00+00:00', '2026-01-02 00:00:00+00:00')
    """
    end = _moment("until", until) if until else now
    begin = _begin(since, end)
    if begin >= end:
        raise _refused("since", "it must lie before the end")
    if end - begin > LONGEST:
        raise _refused("since", f"at most {LONGEST.days} days before the end")
    return Window(since=begin, until=end)


def _begin(text: str, end: datetime) -> datetime:
    try:
        seconds = parse_duration(text)
    except InvalidDuration:
        return _moment("since", text)
    if seconds > LONGEST.total_seconds():
        raise _refused("since", f"at most {LONGEST.days} days before the end")
    return end - timedelta(seconds=seconds)


def _moment(name: str, text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text.strip())
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        # What lies at the ends of the calendar has no stretch before it.
        at - 2 * LONGEST, at + 2 * LONGEST
    except (ValueError, OverflowError):
        words = "a duration such as 24h or 7d, or a " if name == "since" else "a "
        raise _refused(name, f"write {words}time such as 2026-01-31 or 2026-01-31T12:00") from None
    return at.astimezone(UTC)


def _refused(name: str, message: str) -> InputInvalid:
    problem = Problem(code="INVALID_WINDOW", path=name, message=message)
    return InputInvalid(f"{name}: {message}", code=problem.code, problems=[problem])
