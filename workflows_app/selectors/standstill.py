"""Standstill: who holds an instance up and why, in the same words on pages and at the prompt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

REASON_LENGTH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Standstill:
    """An operator's pause.

    Args:
        what: what is paused, if it is not the instance itself: ``the workflow order``.
        by: who paused.
        since: when.
        reason: why, as given; may be empty.
    """

    by: str
    since: datetime
    reason: str
    what: str = ""


def sentence(standstill: Standstill) -> str:
    """Say that an instance does not move, and why.

    >>> at = datetime.fromisoformat("2026-01-02T03:04:05.678+00:00")
    >>> sentence(Standstill(by="ada", since=at, reason="the bank is down"))
    'Paused by ada since 2026-01-02 03:04:05 UTC: the bank is down'
    >>> sentence(Standstill(by="ada", since=at, reason=""))
    'Paused by ada since 2026-01-02 03:04:05 UTC.'
    >>> sentence(Standstill(by="ada", since=at, reason="", what="the queue gpu"))
    'The queue gpu is paused by ada since 2026-01-02 03:04:05 UTC.'
    """
    who = f"{standstill.what[:1].upper()}{standstill.what[1:]} is paused" if standstill.what else "Paused"
    said = f"{who} by {standstill.by} since {standstill.since:%Y-%m-%d %H:%M:%S} UTC"
    return f"{said}: {standstill.reason[:REASON_LENGTH]}" if standstill.reason else f"{said}."
