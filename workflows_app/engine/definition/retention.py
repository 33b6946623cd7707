"""Retention: how long finished instances are kept, and what becomes of them then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from workflows_app.engine.durations import format_duration, parse_duration

FOREVER = "forever"


class Then(StrEnum):
    """What becomes of an instance when its retention is over."""

    PURGE = "purge"
    ARCHIVE = "archive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How many seconds an instance is kept after its end (``None``: for ever), and what becomes of it then."""

    keep: float | None
    then: Then = Then.PURGE


def parse_retention(raw: str | float | Mapping[str, Any] | None) -> Retention | None:
    """Read the key ``retention`` of a document of sound shape.

    >>> parse_retention("90d")
    Retention(keep=7776000.0, then=<Then.PURGE: 'purge'>)
    >>> parse_retention({"keep": "1d", "then": "archive"}).then, parse_retention("forever").keep
    (<Then.ARCHIVE: 'archive'>, None)
    """
    if raw is None:
        return None
    if isinstance(raw, Mapping):
        return Retention(keep=parse_duration(raw["keep"]), then=Then(raw.get("then", Then.PURGE)))
    return Retention(keep=None if raw == FOREVER else parse_duration(raw))


def dump_retention(retention: Retention | None) -> Any:
    """Return the key ``retention`` in its shortest form, ``None`` where the definition is silent.

    >>> dump_retention(parse_retention({"keep": 86400}))
    '1d'
    """
    if retention is None:
        return None
    if retention.keep is None:
        return FOREVER
    keep = format_duration(retention.keep)
    return keep if retention.then is Then.PURGE else {"keep": keep, "then": retention.then.value}


def retention_words(retention: Retention) -> str:
    """Say what becomes of finished instances.

    >>> retention_words(Retention(keep=86400.0, then=Then.ARCHIVE))
    'archived 1d after their end'
    """
    if retention.keep is None:
        return "kept for ever"
    act = "archived" if retention.then is Then.ARCHIVE else "purged"
    return f"{act} {format_duration(retention.keep)} after their end"
