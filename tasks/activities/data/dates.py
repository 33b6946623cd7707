"""Times in the words of people: a closed list of strftime's directives, always in English.

Python's own strftime answers by platform and locale, and knows directives that differ between machines.
"""

from __future__ import annotations

import datetime
import re
import zoneinfo
from collections.abc import Callable, Mapping

from workflows_app.engine.expressions.moments import parse_timestamp

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)

DIRECTIVES: Mapping[str, Callable[[datetime.datetime], str]] = {
    "%Y": lambda time: f"{time.year:04d}",
    "%y": lambda time: f"{time.year % 100:02d}",
    "%m": lambda time: f"{time.month:02d}",
    "%B": lambda time: _MONTHS[time.month - 1],
    "%b": lambda time: _MONTHS[time.month - 1][:3],
    "%d": lambda time: f"{time.day:02d}",
    "%j": lambda time: f"{time.timetuple().tm_yday:03d}",
    "%A": lambda time: _DAYS[time.weekday()],
    "%a": lambda time: _DAYS[time.weekday()][:3],
    "%H": lambda time: f"{time.hour:02d}",
    "%I": lambda time: f"{time.hour % 12 or 12:02d}",
    "%p": lambda time: "AM" if time.hour < 12 else "PM",
    "%M": lambda time: f"{time.minute:02d}",
    "%S": lambda time: f"{time.second:02d}",
    "%f": lambda time: f"{time.microsecond:06d}",
    "%z": lambda time: time.strftime("%z"),
    "%Z": lambda time: time.tzname() or "",
    "%%": lambda time: "%",
}
FORMAT_PATTERN = "^(?:[^%]|%[" + "".join(directive[1] for directive in DIRECTIVES) + "])*$"
ZONE_PATTERN = r"^[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}$"
_DIRECTIVE = re.compile("%.")


def zone(name: str) -> datetime.tzinfo:
    """The time zone of an IANA name.

    Raises:
        ValueError: there is no such zone.
    """
    try:
        if re.fullmatch(ZONE_PATTERN, name):
            return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        pass  # the database's folders are no zones either
    raise ValueError(f"{name[:60]!r} is not a time zone such as Europe/Berlin.")


def format_time(text: str, form: str, at: datetime.tzinfo) -> str:
    """Write an RFC 3339 time as a people's time of a zone.

    Args:
        text: the time.
        form: text with the directives of ``DIRECTIVES``.
        at: the zone.

    Raises:
        ExpressionError: the text is no RFC 3339 time.
        OverflowError: the zone moves it out of the years 1 to 9999.

    >>> format_time("2026-01-31T23:30:00Z", "%A, %d %B %Y, %H:%M", zone("Europe/Berlin"))
    'Sunday, 01 February 2026, 00:30'
    """
    time = parse_timestamp(text).astimezone(at)
    return _DIRECTIVE.sub(lambda found: DIRECTIVES[found[0]](time), form)
