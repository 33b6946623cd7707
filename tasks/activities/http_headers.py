"""Header fields of a call: what may be set, who wins, and what another host never sees."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_VALUE = re.compile(r"(?:[!-~](?:[ \t!-~]*[!-~])?)?")  # printable ASCII: no CR, LF, NUL, nor outer space
# What frames the message or names its receiver belongs to the transport alone.
_TRANSPORT = frozenset(
    [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "upgrade",
        "te",
        "trailer",
        "expect",
        "proxy-authorization",
        "proxy-connection",
    ]
)
_LONGEST = 16_384


def checked(headers: Mapping[str, Any]) -> dict[str, str]:
    """Header fields with lower-case names, ``None`` left out.

    Args:
        headers: name to text, number or boolean.

    Raises:
        ValueError: for a name or value that is not allowed; the message does not repeat the value.

    >>> checked({"X-Count": 3, "Accept": None})
    {'x-count': '3'}
    """
    found: dict[str, str] = {}
    for name, value in headers.items():
        if value is None:
            continue
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name[:80]!r} is not the name of a header")
        if name.lower() in _TRANSPORT:
            raise ValueError(f"the header {name} is set by the transport")
        text = ("true" if value else "false") if isinstance(value, bool) else str(value)
        if len(text) > _LONGEST or not _VALUE.fullmatch(text):
            raise ValueError(f"the value of the header {name} must be one line of printable ASCII")
        found[name.lower()] = text
    return found


def for_any_host(idempotency_key: str | None) -> dict[str, str]:
    """The fields that every hop gets.

    Args:
        idempotency_key: the step's key; what a header cannot carry is percent-encoded. ``None``: none goes out.
    """
    fields = {"accept": "*/*", "accept-encoding": "gzip, deflate", "user-agent": "orchestrator"}
    if idempotency_key is None:
        return fields
    return fields | {"idempotency-key": quote(idempotency_key, safe="!#$%&'()*+,-./:;<=>?@[]^_`{|}~")[:_LONGEST]}
