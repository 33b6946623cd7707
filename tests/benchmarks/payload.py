"""The data that W5 and W5c hand from step to step: a list of small records, as an integration would pass it on."""

from __future__ import annotations

import json
import random
from typing import Any, Final

BYTES: Final = 100_000
PARTS: Final = ("bolt", "nut", "washer", "bracket", "hinge", "spacer", "clamp")
CITIES: Final = ("Lisbon", "Oslo", "Graz", "Turin", "Ghent", "Porto", "Lund")


def records(*, size: int = BYTES) -> list[dict[str, Any]]:
    """Records whose JSON is about ``size`` bytes long; the same ones every time.

    >>> 100_000 <= len(json.dumps(records())) < 101_000
    True
    """
    source = random.Random(7)
    made: list[dict[str, Any]] = []
    written = 2
    while written < size:
        number = 100_000 + len(made)
        day, hour, minute = source.randrange(1, 29), source.randrange(24), source.randrange(60)
        record = {
            "id": number,
            "sku": f"{source.choice(PARTS)}-{source.randrange(10**5):05}",
            "depot": source.choice(CITIES),
            "quantity": source.randrange(1, 900),
            "price": round(source.uniform(0.1, 250), 2),
            "in_stock": source.random() < 0.8,
            "updated_at": f"2026-03-{day:02}T{hour:02}:{minute:02}:00Z",
        }
        made.append(record)
        written += len(json.dumps(record)) + 2
    return made


def changed(data: list[dict[str, Any]], *, times: int = 1) -> list[dict[str, Any]]:
    """The records as W5c's steps return them: one field of the first counted on, the others as they are.

    >>> [each["quantity"] for each in changed([{"quantity": 1}, {"quantity": 7}], times=10)]
    [11, 7]
    """
    return [{**data[0], "quantity": data[0]["quantity"] + times}, *data[1:]]
