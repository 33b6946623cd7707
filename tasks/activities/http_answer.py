"""From an answer's bytes to the result of ``http.request``, with a cap on what arrives and on what it unpacks to."""

from __future__ import annotations

import codecs
import json
import zlib
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from django.conf import settings

from workflows_app.engine import values
from workflows_app.engine.errors import ActivityError, OrchestratorError

DEFAULT_MAX_BYTES = 1_000_000
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # zlib's own codes for the formats of RFC 1952 and 1950
_CHARSETS = ("utf-8", "utf-16", "utf-32", "ascii", "iso8859", "cp125", "koi8", "gb", "big5", "euc", "shift_jis")
_SHORTEST_SECRET = 6
_QUOTED_TEXT = 2_000  # characters of an answer that an error quotes
_QUOTED_REASON = 300
_QUOTED_JSON = 16_000


class AnswerUnusable(ActivityError):
    """An answer that cannot become a result: too large, or packed in a way that was not asked for."""

    code = "ANSWER_UNUSABLE"


def max_bytes() -> int:
    """How many bytes of body, packed or not, an answer may have."""
    return int(getattr(settings, "ORCHESTRATOR_HTTP_MAX_RESPONSE_BYTES", DEFAULT_MAX_BYTES))


def read_body(answer: httpx.Response) -> bytes:
    """The unpacked body.

    Raises:
        AnswerUnusable: ANSWER_TOO_LARGE as soon as the cap is passed, or ANSWER_UNUSABLE.
    """
    limit = max_bytes()
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    chunks: Iterable[bytes] = answer.stream  # type: ignore[assignment]
    if encoding in ("", "identity"):
        return _capped(chunks, limit)
    window_bits(encoding)
    packed = _capped(chunks, limit)
    return _unpack(packed, encoding, limit) if packed else b""


def window_bits(encoding: str) -> int:
    """What zlib calls a packing.

    Raises:
        AnswerUnusable: for one that was not asked for.
    """
    if encoding not in _WINDOW_BITS:
        raise AnswerUnusable(f"The answer is packed as {encoding[:40]!r}, which was not asked for.")
    return _WINDOW_BITS[encoding]


def _capped(chunks: Iterable[bytes], limit: int) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _unpack(packed: bytes, encoding: str, limit: int) -> bytes:
    try:
        unpacker = zlib.decompressobj(_WINDOW_BITS[encoding])
        try:
            body = unpacker.decompress(packed, limit + 1)
        except zlib.error:
            if encoding != "deflate":
                raise
            unpacker = zlib.decompressobj(-15)  # many servers mean RFC 1951 when they say deflate
            body = unpacker.decompress(packed, limit + 1)
    except zlib.error as error:
        raise AnswerUnusable(f"The answer says it is packed as {encoding}, but is not: {error}.") from error
    if len(body) > limit:
        raise _too_large(limit)
    if not unpacker.eof:
        raise AnswerUnusable("The packed answer ends too early.")
    return body


def _too_large(limit: int) -> AnswerUnusable:
    return AnswerUnusable(f"The answer is larger than {limit} bytes.", code="ANSWER_TOO_LARGE")


def as_result(answer: httpx.Response, body: bytes, secrets: tuple[str, ...]) -> dict[str, Any]:
    """``{status, headers, json, text}``, free of what cannot be stored.

    ``json`` is the parsed body if the answer says that it is JSON (or says nothing) and it can be stored, else null.

    Args:
        answer: the answer.
        body: its unpacked body.
        secrets: values that must not come back.
    """
    text = hidden(_text(answer, body), secrets)
    return {
        "status": answer.status_code,
        "headers": headers_of(answer, secrets),
        "json": _json(answer.headers.get("content-type", ""), text),
        "text": text.replace("\x00", "\ufffd"),
    }


def headers_of(answer: httpx.Response, secrets: tuple[str, ...]) -> dict[str, str]:
    """An answer's headers in lower case, repeated ones joined, without the values of secrets."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in answer.headers.raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return {name: hidden(value, secrets) for name, value in headers.items()}


def fitted(result: dict[str, Any]) -> dict[str, Any]:
    """The result if it fits the output limit; without ``text`` if only ``json`` fits.

    Raises:
        AnswerUnusable: ANSWER_TOO_LARGE if neither fits.
    """
    limit = int(getattr(settings, "ORCHESTRATOR_MAX_OUTPUT_BYTES", DEFAULT_MAX_BYTES))
    candidates = [result] if result.get("json") is None else [result, {**result, "text": None}]
    for candidate in candidates:
        try:
            values.encode(candidate, limit_bytes=limit, what="the answer")
        except OrchestratorError:
            continue
        return candidate
    raise _too_large(limit)


def reason(result: dict[str, Any]) -> str:
    """What the answer itself says of a refusal, in one short line; empty where it says nothing that we know to read.

    Read are the usual places: ``message``, ``detail`` and ``title`` (RFC 9457), ``error`` as text or with one of these.

    >>> reason({"json": {"error": {"code": "SOLD_OUT", "message": "We have none left."}}})
    'We have none left.'
    >>> reason({"json": [1]})
    ''
    """
    said = result["json"]
    if isinstance(said, dict) and isinstance(said.get("error"), dict):
        said = said["error"]
    if not isinstance(said, dict):
        return ""
    found = (said.get(key) for key in ("message", "detail", "title", "error"))
    text = next((value for value in found if isinstance(value, str) and value.strip()), "")
    return " ".join(text.split())[:_QUOTED_REASON]


def retry_after(headers: dict[str, str], *, now: float) -> float | None:
    """How many seconds an answer asks to wait (``Retry-After``, RFC 9110, section 10.2.3); ``None`` if it does not.

    Args:
        headers: of the answer, names in lower case.
        now: seconds since 1970: the answer may name a date.

    >>> retry_after({"retry-after": "120"}, now=0), retry_after({"retry-after": "later"}, now=0), retry_after({}, now=0)
    (120.0, None, None)
    >>> retry_after({"retry-after": "Thu, 01 Jan 1970 00:01:30 GMT"}, now=60)
    30.0
    """
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return float(said[:9])
    try:
        at = parsedate_to_datetime(said)
    except ValueError:
        return None
    return max(0.0, at.timestamp() - now) if at.tzinfo is not None else None


def quoted(result: dict[str, Any]) -> dict[str, Any]:
    """What an error keeps of an answer: everything short, long text cut, cookies left out."""
    headers = {name: value[:500] for name, value in list(result["headers"].items())[:50] if name != "set-cookie"}
    is_short = len(result["text"]) <= _QUOTED_JSON
    return {
        "status": result["status"],
        "headers": headers,
        "json": result["json"] if is_short else None,
        "text": result["text"][:_QUOTED_TEXT],
    }


def _text(answer: httpx.Response, body: bytes) -> str:
    charset = answer.charset_encoding or "utf-8"
    try:
        name = codecs.lookup(charset).name
    except (LookupError, ValueError):
        name = "utf-8"
    if not name.replace("_", "-").startswith(tuple(prefix.replace("_", "-") for prefix in _CHARSETS)):
        name = "utf-8"
    return body.decode(name, "replace").encode("utf-8", "replace").decode("utf-8")


def hidden(text: str, secrets: tuple[str, ...]) -> str:
    """The text without the values of secrets."""
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "[hidden]")
    return text


def _json(content_type: str, text: str) -> Any:
    kind = content_type.partition(";")[0].strip().lower()
    if kind and kind != "application/json" and kind != "text/json" and not kind.endswith("+json"):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return None if next(values.faults(found, max_depth=values.MAX_DEPTH - 2), None) else found
