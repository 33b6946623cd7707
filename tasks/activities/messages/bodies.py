"""Bodies and headers: what goes into a message, and how what comes out of one becomes JSON that can be stored."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from workflows_app.engine import values
from workflows_app.engine.errors import ActivityError, OrchestratorError

DEFAULT_MAX_BYTES = 1_000_000
KEY_HEADER = "idempotency-key"
_LONGEST_ID = 255  # bytes of a short string (AMQP 0-9-1, section 4.2.5.3)
_DEEPEST = 20
_DEEPEST_BODY = values.MAX_DEPTH - 4  # it stands in a message, in a list, in a result


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One message on its way out.

    Args:
        id: what consumers recognise a repetition by.
        body: any JSON value.
        text: the body as JSON text.
        headers: names to plain values, the idempotency key among them.
    """

    id: str
    body: Any
    text: bytes
    headers: Mapping[str, Any]


def max_bytes() -> int:
    """How many bytes of body a message may have."""
    return int(getattr(settings, "ORCHESTRATOR_MESSAGE_MAX_BYTES", DEFAULT_MAX_BYTES))


def outgoing(body: Any, headers: Mapping[str, Any], message_id: str | None, idempotency_key: str) -> Outgoing:
    """The message that the parameters describe.

    Raises:
        ActivityError: MESSAGE_TOO_LARGE, not recoverable.
    """
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    if len(text) > max_bytes():
        raise too_large(len(text), max_bytes(), None)
    return Outgoing(
        id=message_id or short_id(idempotency_key),
        body=body,
        text=text,
        headers={KEY_HEADER: idempotency_key} | {name: value for name, value in headers.items() if value is not None},
    )


def short_id(key: str) -> str:
    """A key as a message id: itself, or its digest where it is too long for one.

    >>> short_id("i-1:pay:0"), len(short_id("k" * 300))
    ('i-1:pay:0', 64)
    """
    return key if len(key.encode()) <= _LONGEST_ID else hashlib.sha256(key.encode()).hexdigest()


def too_large(size: int, limit: int, message_id: str | None) -> ActivityError:
    """MESSAGE_TOO_LARGE: no other attempt would find it smaller."""
    return ActivityError(
        f"The message has {size} bytes, the limit is {limit}.",
        code="MESSAGE_TOO_LARGE",
        details={"size": size, "limit": limit, "id": message_id},
        recoverable=False,
    )


def read(raw: bytes, content_type: str | None = None) -> dict[str, Any]:
    """``{body, encoding}``: JSON if it is JSON that can be stored, else text, else base64.

    >>> read(b'{"a": 1}'), read(b"{a"), read(b"1", "text/plain")
    ({'body': {'a': 1}, 'encoding': 'json'}, {'body': '{a', 'encoding': 'text'}, {'body': '1', 'encoding': 'text'})
    >>> read(bytes([255, 0]))
    {'body': '/wA=', 'encoding': 'base64'}
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = "\x00"
    if "\x00" in text:
        return {"body": base64.b64encode(raw).decode(), "encoding": "base64"}
    if not (content_type or "").strip().lower().startswith("text/"):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            pass
        else:
            if next(values.faults(found, max_depth=_DEEPEST_BODY), None) is None:
                return {"body": found, "encoding": "json"}
    return {"body": text, "encoding": "text"}


def plain(value: Any, depth: int = 0) -> Any:
    """A header's value as JSON: times as RFC 3339, bytes as text or base64, what JSON does not know as text.

    >>> plain({"a": [b"x", datetime(2026, 1, 2)]})
    {'a': ['x', '2026-01-02T00:00:00']}
    """
    if depth > _DEEPEST:
        return None
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(entry, depth + 1) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry, depth + 1) for entry in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return read(bytes(value), "text/plain")["body"]
    if isinstance(value, datetime):
        return value.isoformat()
    if value is None or isinstance(value, bool | int | float):
        return value if next(values.faults(value), None) is None else str(value)
    return str(value).replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


class Room:
    """How much a result can still hold: the output limit of a step, less what was put into it."""

    def __init__(self) -> None:
        self.limit = int(getattr(settings, "ORCHESTRATOR_MAX_OUTPUT_BYTES", DEFAULT_MAX_BYTES)) - 100
        self._left = self.limit

    def takes(self, entry: Mapping[str, Any], size: int) -> bool:
        """Put an entry in, or say that there is no room for it.

        Raises:
            ActivityError: MESSAGE_TOO_LARGE if not even an empty result has room for it.

        Args:
            entry: ``{id, body, encoding, headers}``.
            size: bytes of the message's body as it came.
        """
        largest = max_bytes()
        try:
            needed = len(values.encode(dict(entry), limit_bytes=self.limit, what="a message").encode()) + 1
        except OrchestratorError as refused:
            if refused.code != "TOO_LARGE":
                raise
            needed = self.limit + 1
        if size > largest or needed > self.limit:
            if self._left < self.limit:
                return False
            raise too_large(size, largest if size > largest else self.limit, entry["id"])
        if needed > self._left:
            return False
        self._left -= needed
        return True
