"""JSON as PostgreSQL gives it back: ``jsonb`` writes a large double without its exponent, as if it were an integer."""

from __future__ import annotations

import json
from typing import Any


def parse_int(text: str) -> int | float:
    """Read an integer; what lies beyond 64 bits was a double when it was stored, as integers of that size are refused.

    >>> parse_int("7"), parse_int("10000000000000000000")
    (7, 1e+19)
    """
    if len(text) < 19:
        return int(text)
    number = int(text) if len(text) <= 20 else 2**64
    return number if -(2**63) <= number < 2**63 else float(text)


def loads(text: str | bytes) -> Any:
    """Read a stored JSON document."""
    return json.loads(text, parse_int=parse_int)


class Decoder(json.JSONDecoder):
    """The same for Django's JSON fields."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "parse_int": parse_int})
