"""What the verifier is told about a registered activity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ActivityInfo:
    """One version of an activity type; ``parameters`` is the JSON Schema of its parameters, ``None`` takes anything."""

    name: str
    version: str
    parameters: Mapping[str, Any] | None = None
