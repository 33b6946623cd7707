"""Caching: under what the result of a step is kept, and what is found there.

The engine names the entry (``Entry``), the shell looks it up and hands what it found to the next try of the decision
(``Slice.cached``), so that deciding stays a pure function. A completed attempt leaves a ``Remember`` command.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where a result is kept.

    Args:
        activity: ``name@version``: another version of the code is another activity.
        key: SHA-256, hexadecimal, of the key's value: its length does not depend on that of the value.
    """

    activity: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A fresh result, and the instance and the step that it came from."""

    output: Any
    instance: str
    step: str


def entry(activity: str, value: Any) -> Entry:
    """Name the entry of an activity and the value of a cache key; the order of an object's names says nothing.

    >>> entry("a@1.0.0", {"x": 1, "y": 2}) == entry("a@1.0.0", {"y": 2, "x": 1})
    True
    >>> entry("a@1.0.0", 1) == entry("a@1.0.0", "1")
    False
    """
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return Entry(activity=activity, key=hashlib.sha256(text.encode()).hexdigest())
