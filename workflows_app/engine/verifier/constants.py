"""Constants: what of a value is known before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows_app.engine import expressions, schemas
from workflows_app.engine.errors import ExpressionError


def known(value: Any) -> Any:
    """Return the value with ``ANYTHING`` wherever only runtime knows."""
    if isinstance(value, Mapping):
        return {key: known(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [known(part) for part in value]
    if not isinstance(value, str) or "${" not in value:
        return value
    try:
        compiled = expressions.compile_value(value)
        return compiled.evaluate({}) if compiled.is_constant and not compiled.secrets else schemas.ANYTHING
    except ExpressionError:
        return schemas.ANYTHING
