"""Values as keys of groups and joins: equal exactly when they are equal in JSON, and found without comparing all."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from tasks.activities.data.place import Place


def identity(value: Any, path: str, place: Place) -> Hashable:
    """A hashable stand-in for a value: 1 is 1.0, but true is not 1 (as Python would have it).

    Raises:
        ActivityError: TRANSFORM_FAILED for a list or a mapping.
    """
    if isinstance(value, list | dict):
        place.refuse("a list or a mapping cannot be a key.", path)
    return (value, "boolean") if isinstance(value, bool) else value
