"""Durations: text such as ``30s``, ``1h30m`` or ``P1DT2H`` to seconds and back."""

from __future__ import annotations

import math
import re
from decimal import Decimal

from workflows_app.engine.errors import OrchestratorError

LONGEST = 100 * 365 * 86400.0
"""No duration may exceed this many seconds (100 years): dates computed from it stay representable."""

SHORT_PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+$"
ISO_PATTERN = r"^P([0-9]+W)?([0-9]+D)?(T([0-9]+H)?([0-9]+M)?([0-9]+(\.[0-9]+)?S)?)?$"
EXPECTED = "a duration such as 500ms, 30s, 5m, 2h, 3d, 1w, or ISO 8601 such as PT90S"

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_ISO_UNITS = {"W": 604800.0, "D": 86400.0, "H": 3600.0, "M": 60.0, "S": 1.0}
_SHORT = re.compile(SHORT_PATTERN)
_SHORT_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d|w)")
_ISO = re.compile(ISO_PATTERN)
_ISO_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)([WDHMS])")
_LONGEST_TEXT = 64
_DIGITS = 6


class InvalidDuration(OrchestratorError):
    """Text or a number that is not a duration, or one beyond the limits."""

    code = "INVALID_DURATION"


def parse_duration(value: str | int | float) -> float:
    """Return the seconds that ``value`` stands for, to the microsecond (PostgreSQL's precision).

    Args:
        value: a number of seconds, or text: one or more numbers with a unit (``ms s m h d w``), or ISO 8601
            (``PnW``, ``PnDTnHnMnS``; years and months have no fixed length and are refused).

    Raises:
        InvalidDuration: not a duration, negative, or longer than 100 years.

    >>> parse_duration("500ms"), parse_duration("1h30m"), parse_duration("P1DT2H"), parse_duration(2)
    (0.5, 5400.0, 93600.0, 2.0)
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidDuration(f"is not a duration; write {EXPECTED}")
    if isinstance(value, str):
        seconds = _parse_text(value.strip())
    else:
        seconds = float(value) if abs(value) <= LONGEST else math.inf
    if math.isnan(seconds) or seconds < 0:
        raise InvalidDuration("a duration cannot be negative")
    if seconds > LONGEST:
        raise InvalidDuration("a duration cannot be longer than 100 years")
    return round(seconds, _DIGITS)


def _parse_text(text: str) -> float:
    if len(text) <= _LONGEST_TEXT:
        if _SHORT.match(text):
            return _total(_SHORT_PART.findall(text), _UNITS)
        if _ISO.match(text) and text[-1] not in "PT":
            return _total(_ISO_PART.findall(text), _ISO_UNITS)
    shown = text if len(text) <= 40 else text[:40] + "…"
    raise InvalidDuration(f"`{shown}` is not a duration; write {EXPECTED}")


def _total(parts: list[tuple[str, str]], units: dict[str, float]) -> float:
    """Add up exactly (0.1s is 0.1, not 0.1000000001) and round once."""
    return float(sum((Decimal(number) * Decimal(str(units[unit])) for number, unit in parts), Decimal(0)))


def format_duration(seconds: float) -> str:
    """Return the shortest text that ``parse_duration`` turns back into ``seconds``.

    Raises:
        InvalidDuration: as ``parse_duration``.

    >>> [format_duration(s) for s in (0, 0.5, 90, 5400, 86400, 604800, 0.000123)]
    ['0s', '500ms', '90s', '90m', '1d', '1w', '0.000123s']
    """
    seconds = parse_duration(seconds)
    if seconds == int(seconds):
        whole = int(seconds)
        for unit in ("w", "d", "h", "m"):
            size = int(_UNITS[unit])
            if whole and whole % size == 0:
                return f"{whole // size}{unit}"
        return f"{whole}s"
    milliseconds = Decimal(repr(seconds)) * 1000
    if milliseconds == int(milliseconds):
        return f"{int(milliseconds)}ms"
    return f"{Decimal(repr(seconds)):f}s"
