"""Stored JSON: Django's fields read numbers as everybody else does."""

from __future__ import annotations

import json
from typing import Any

from workflows_app.engine.stored import parse_int


class Decoder(json.JSONDecoder):
    """The same for Django's JSON fields."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "parse_int": parse_int})
