"""Times and durations: read and written as text, and taken apart.

cel-python parses times with a library that accepts ``now`` (and so reads the clock) and durations with a regular
expression that can hang; both are replaced here. Times follow RFC 3339, durations CEL's notation plus ``d`` and ``w``.
"""

from __future__ import annotations

import datetime
import re
import zoneinfo
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from workflows_app.engine.errors import ExpressionError

_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_PART = re.compile(r"([0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(ns|us|µs|ms|s|m|h|d|w)")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+\-]{0,31}(?:/[A-Za-z0-9_+\-]{1,32}){0,2}")
_OFFSET = re.compile(r"([+-]?)([0-9]{2}):([0-9]{2})")
_MICROSECONDS: Mapping[str, Decimal] = {
    "ns": Decimal("0.001"),
    "us": Decimal(1),
    "µs": Decimal(1),
    "ms": Decimal(1_000),
    "s": Decimal(1_000_000),
    "m": Decimal(60_000_000),
    "h": Decimal(3_600_000_000),
    "d": Decimal(86_400_000_000),
    "w": Decimal(604_800_000_000),
}


def parse_timestamp(text: str) -> datetime.datetime:
    """The time that an RFC 3339 text names, in UTC; digits beyond the microsecond are dropped.

    Raises:
        ExpressionError: any other text.

    >>> format_timestamp(parse_timestamp("2026-03-01T01:30:00+02:00"))
    '2026-02-28T23:30:00Z'
    """
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        raise ExpressionError(f"{text[:60]!r} is not a time such as 2026-03-01T12:00:00Z.")
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    microsecond = int((found[7] or "0").ljust(6, "0")[:6])
    try:
        moment = datetime.datetime(year, month, day, hour, minute, second, microsecond, datetime.UTC)
        if found[8]:
            offset = datetime.timedelta(hours=int(found[9]), minutes=int(found[10]))
            moment = moment - offset if found[8] == "+" else moment + offset
    except (ValueError, OverflowError) as fault:
        raise ExpressionError(f"{text[:60]!r} is not a time: {fault}.") from None
    return moment


def format_timestamp(moment: datetime.datetime) -> str:
    """RFC 3339 in UTC, with a fraction only where there is one; a time without a zone counts as UTC."""
    aware = moment.replace(tzinfo=datetime.UTC) if moment.tzinfo is None else moment.astimezone(datetime.UTC)
    return aware.replace(tzinfo=None).isoformat() + "Z"


def parse_duration(text: str) -> datetime.timedelta:
    """The duration that a text such as ``1h30m``, ``-1.5s`` or ``3d`` names.

    Raises:
        ExpressionError: any other text, or one beyond what can be represented.

    >>> format_duration(parse_duration("1h30m")), format_duration(parse_duration("-1.5s"))
    ('5400s', '-1.5s')
    """
    position = 1 if text[:1] in ("-", "+") else 0
    total, end = Decimal(0), len(text)
    if not position < end <= 64:
        raise _not_a_duration(text)
    while position < end:
        part = _PART.match(text, position)
        if part is None:
            raise _not_a_duration(text)
        total += Decimal(part[1]) * _MICROSECONDS[part[2]]
        position = part.end()
    try:
        duration = datetime.timedelta(microseconds=int(total))
    except OverflowError:
        raise ExpressionError(f"The duration {text!r} is too long.") from None
    return -duration if text.startswith("-") else duration


def format_duration(duration: datetime.timedelta) -> str:
    """Seconds with an ``s``: ``90s``, ``12.5s``, ``-0.25s``."""
    microseconds = duration // datetime.timedelta(microseconds=1)
    seconds, fraction = divmod(abs(microseconds), 1_000_000)
    decimals = f".{fraction:06d}".rstrip("0") if fraction else ""
    return f"{'-' if microseconds < 0 else ''}{seconds}{decimals}s"


def part_of_time(name: str, moment: datetime.datetime, zone: str | None) -> int:
    """One calendar part of a time, as CEL counts: from 0, except for years and ``getDate``.

    Args:
        name: CEL's name of the part, such as ``getFullYear``.
        moment: an aware time.
        zone: an IANA name or ``+HH:MM``; UTC without one.
    """
    local = moment.astimezone(_zone(zone) if zone else datetime.UTC)
    parts: Mapping[str, Any] = {
        "getFullYear": local.year,
        "getMonth": local.month - 1,
        "getDate": local.day,
        "getDayOfMonth": local.day - 1,
        "getDayOfWeek": local.isoweekday() % 7,
        "getDayOfYear": local.timetuple().tm_yday - 1,
        "getHours": local.hour,
        "getMinutes": local.minute,
        "getSeconds": local.second,
        "getMilliseconds": local.microsecond // 1_000,
    }
    return int(parts[name])


def part_of_duration(name: str, duration: datetime.timedelta) -> int:
    """A duration in whole hours, minutes or seconds; ``getMilliseconds`` gives only the part within its second."""
    microseconds = duration // datetime.timedelta(microseconds=1)
    sign = -1 if microseconds < 0 else 1
    if name == "getMilliseconds":
        return sign * (abs(microseconds) % 1_000_000 // 1_000)
    unit = {"getHours": "h", "getMinutes": "m", "getSeconds": "s"}.get(name)
    if unit is None:
        raise ExpressionError(f"{name}() needs a timestamp, not a duration.")
    return sign * (abs(microseconds) // int(_MICROSECONDS[unit]))


def _zone(name: str) -> datetime.tzinfo:
    if found := _OFFSET.fullmatch(name):
        offset = datetime.timedelta(hours=int(found[2]), minutes=int(found[3]))
        if offset < datetime.timedelta(hours=24):
            return datetime.timezone(-offset if found[1] == "-" else offset)
    elif _ZONE.fullmatch(name):
        try:
            return zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            pass
    raise ExpressionError(f"{name[:60]!r} is not a time zone.")


def _not_a_duration(text: str) -> ExpressionError:
    return ExpressionError(f"{text[:60]!r} is not a duration such as 1h30m or 12.5s.")
