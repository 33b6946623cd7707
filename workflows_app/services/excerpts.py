"""Values that are kept for people: whole where they are small, else their beginning; and how large they were.

An excerpt is ``{"value": …}``, ``{"beginning": text}`` of the JSON, or ``{"left_out": code}`` for what is no JSON or
larger than anything that is stored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings

from workflows_app.engine import values
from workflows_app.engine.errors import OrchestratorError


def excerpt(value: Any, mask: Callable[[Any], Any]) -> tuple[str | None, int | None]:
    """Return the excerpt of a value as JSON text, and the value's size as JSON in bytes; nothing of nothing.

    Args:
        value: a JSON value, or ``None``.
        mask: takes what nobody may read out of it, before anything is cut.
    """
    if value is None:
        return None, None
    most = settings.ORCHESTRATOR_MAX_OUTPUT_BYTES
    limit = settings.ORCHESTRATOR_CALL_RECORD_BYTES
    try:
        text = values.encode(mask(value), limit_bytes=most, what="the value")
    except OrchestratorError as refused:
        return values.encode({"left_out": refused.code}, limit_bytes=most, what="the excerpt"), None
    size = len(text.encode())
    if size <= limit:
        return f'{{"value":{text}}}', size
    return values.encode({"beginning": text[:limit]}, limit_bytes=max(most, 10 * limit), what="the excerpt"), size
