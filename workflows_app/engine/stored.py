"""JSON as PostgreSQL gives it back: ``jsonb`` writes a large double without its exponent, as if it were an integer.

A value must read the same whether it comes from the database or from the process that has just produced it.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import orjson

from workflows_app.engine.values import has_long_number


def parse_int(text: str) -> int | float:
    """Read an integer; what lies beyond 64 bits was a double when it was stored, as integers of that size are refused.

    >>> parse_int("7"), parse_int("10000000000000000000")
    (7, 1e+19)
    """
    if len(text) < 19:
        return int(text)
    number = int(text) if len(text) <= 20 else 2**64
    return number if -(2**63) <= number < 2**63 else float(text)


def parse_float(text: str) -> int | float:
    """Read a double as it will come back from the database: a large one without its point, a zero without its sign.

    >>> parse_float("1e+16"), parse_float("-0.0"), parse_float("1e-07"), parse_float("1e+300")
    (10000000000000000, 0.0, 1e-07, 1e+300)
    """
    number = float(text)
    if "e" in text and "e-" not in text:
        return parse_int(format(Decimal(text), "f"))
    return number or 0.0


# Made once: a decoder costs more than most of the documents that it reads.
_STORED = json.JSONDecoder(parse_int=parse_int)
_AS_STORED = json.JSONDecoder(parse_int=parse_int, parse_float=parse_float)
_DIGITS_ALIKE = bytes.maketrans(b"0123456789", b"0000000000")


def as_stored(text: str) -> Any:
    """Read a JSON document of ``values.encode`` as it will be read once it has been stored.

    >>> as_stored('[1e16,-0.0,2.5]')
    [10000000000000000, 0.0, 2.5]
    """
    return _AS_STORED.decode(text) if changes(text) else loads(text)


def changes(text: str) -> bool:
    """Whether a document may hold a number that is stored as another one; a text that looks like one counts too."""
    raw = text.encode()
    alike = raw.translate(_DIGITS_ALIKE)
    return b"-0.0" in raw or b"0e0" in alike or b"0e+0" in alike


def loads(text: str | bytes) -> Any:
    """Read a stored JSON document."""
    raw = text if isinstance(text, bytes) else text.encode()
    return _STORED.decode(raw.decode()) if has_long_number(raw) else orjson.loads(raw)
