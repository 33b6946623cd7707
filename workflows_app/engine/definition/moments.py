"""Points in time as ``wait: {until: …}`` takes them: RFC 3339 with an offset, or an expression."""

from __future__ import annotations

import re
from datetime import datetime

from workflows_app.engine.errors import OrchestratorError

_DATE_LIKE = re.compile(r"\s*[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?\Z", re.DOTALL)
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([Zz]|[+-][0-9]{2}:[0-9]{2})\Z"
)


def check_moment(text: str) -> None:
    """Refuse what looks like a date but names no exact time; as an expression ``2026-12-24`` would be 1990.

    Raises:
        OrchestratorError: with the reason.

    >>> check_moment("2026-12-24T08:00:00+01:00"), check_moment("${ input.day }")
    (None, None)
    """
    if "${" in text or not _DATE_LIKE.match(text):
        return
    expected = "write the time with its offset, for example 2026-12-24T08:00:00Z"
    if not _RFC_3339.match(text.strip()):
        raise OrchestratorError(f"is not an exact time; {expected}")
    try:
        datetime.fromisoformat(text.strip().upper())
    except ValueError:
        raise OrchestratorError(f"is not a date that exists; {expected}") from None


def normal_moment(text: str) -> str:
    """Return the literal time in upper case, or the expression wrapped in ``${ }``.

    >>> normal_moment("2026-12-24t08:00:00z"), normal_moment("vars.at"), normal_moment("${ vars.at }")
    ('2026-12-24T08:00:00Z', '${ vars.at }', '${ vars.at }')
    """
    if "${" in text:
        return text
    return text.strip().upper() if _DATE_LIKE.match(text) else f"${{ {text.strip()} }}"
