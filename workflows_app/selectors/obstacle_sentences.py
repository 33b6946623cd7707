"""What is said of each obstacle: one sentence, in words that need no knowledge of what is underneath."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from workflows_app.models import Hold
from workflows_app.selectors import standstill
from workflows_app.selectors.section_views import assigned_words
from workflows_app.selectors.standstill import Standstill
from workflows_app.spans import duration, moment, span

Row = Mapping[str, Any]


def paused(row: Row) -> str:
    """Say who paused the instance."""
    if row["paused_at"] is None:
        return "Paused."
    return _ended(
        standstill.sentence(
            Standstill(by=row["paused_by"], since=row["paused_at"], reason=str(row["paused_why"] or ""))
        )
    )


def held(hold: Hold) -> str:
    """Say who paused its workflow, its queue or everything."""
    what = {"all": "everything", "definition": f"the workflow {hold.name}", "queue": f"the queue {hold.name}"}
    return _ended(
        standstill.sentence(Standstill(by=hold.actor, since=hold.since, reason=hold.reason, what=what[hold.kind]))
    )


def running(row: Row, now: datetime) -> str:
    """Say which step runs, and for how long.

    >>> from datetime import timedelta
    >>> now = datetime.fromisoformat("2026-01-02T03:04:05+00:00")
    >>> row = {"named": "“pay”", "number": 2, "role": "action", "started_at": now - timedelta(seconds=75)}
    >>> running(row | {"stop_requested": False}, now)
    'Running “pay” for 1 min 15 s, attempt 2.'
    """
    what = {"compensation": "Undoing", "fallback": "Running the fallback of"}.get(row["role"], "Running")
    attempt = f", attempt {row['number']}" if row["number"] > 1 else ""
    told = "; it was told to stop" if row["stop_requested"] else ""
    return f"{what} {row['named']} for {span(row['started_at'], now)}{attempt}{told}."


def lost(row: Row, now: datetime) -> str:
    """Say that a worker has gone and nobody noticed."""
    silent = f"The worker {row['worker']} that ran {row['named']} has been silent for {span(row['due'], now)}"
    return f"{silent}, and no sweeper has taken the step over: is the sweeper running?"


def queued(row: Row, now: datetime) -> str:
    """Say that a step waits for a worker."""
    waits = f"{row['named']} waits for a worker on the queue “{row['queue']}” for {span(row['since'], now)}"
    return f"{waits}." if row["served"] else f"{waits}: no worker takes anything from this queue."


def retry(row: Row, now: datetime, *, most: int | None) -> str:
    """Say when the next attempt is due.

    Args:
        most: how many attempts the step has, if that is known.

    >>> from datetime import timedelta
    >>> now = datetime.fromisoformat("2026-01-02T03:04:05+00:00")
    >>> row = {"named": "“pay”", "role": "action", "failures": 2, "due_at": now + timedelta(seconds=40)}
    >>> retry(row | {"code": "GONE", "message": "away"}, now, most=5)
    'Attempt 3 of 5 of “pay” in 40.0 s, after GONE: away.'
    """
    seconds = (row["due_at"] - now).total_seconds()
    number = (row["failures"] or 0) + 1
    of = f" of {most}" if most is not None and number <= most else ""
    why = f", after {row['code']}: {row['message']}" if row["code"] else ""
    when = f"in {duration(seconds)}" if seconds > 0 else "now"
    what = "the undo of " if row["role"] == "compensation" else ""
    return _ended(f"Attempt {number}{of} of {what}{row['named']} {when}{why}")


def turn(row: Row, now: datetime) -> str:
    """Say when its call has its turn under a rate limit; nothing has failed."""
    return f"{row['named']} has its turn under a rate limit in {span(now, row['due_at'])}."


def absent(row: Row) -> str:
    """Say that the workers lack an activity."""
    return _ended(f"{row['named']} waits for a worker that has its activity: {row['message'] or 'none has'}")


def overdue(row: Row, now: datetime) -> str:
    """Say that nobody looks at the timers."""
    what = f"of {row['named']} " if row["path"] else ""
    return f"A timer {what}is overdue by {span(row['due_at'], now)}: is the sweeper running?"


def time(row: Row) -> str:
    """Say until when it waits."""
    who = f"{row['named']} waits" if row["path"] else "Waits"
    what = " for the last of its dependencies" if row["kind"] == "join" else ""
    return f"{who}{what} until {moment(row['due_at'])} UTC."


def planned(at: datetime) -> str:
    """Say when it begins.

    >>> planned(datetime.fromisoformat("2026-12-01T08:00:00+00:00"))
    'Starts at 2026-12-01 08:00:00 UTC.'
    """
    return f"Starts at {moment(at)} UTC."


def event(row: Row) -> str:
    """Say which event it waits for."""
    since = moment(row["since"])
    most = f", at most until {moment(row['due_at'])} UTC" if row["due_at"] else ""
    return f"{row['named']} waits for the event {row['type']} with the key {row['key']} since {since} UTC{most}."


def called(row: Row) -> str:
    """Say which instance it waits for."""
    return f"{row['named']} waits for {row['workflow']} ({row['child']}) since {moment(row['since'])} UTC."


def people(row: Row) -> str:
    """Say who has to choose."""
    assign = json.loads(row["assign"]) if isinstance(row["assign"], str) else row["assign"]
    return f"{row['named']} waits for people to choose what is next: {assigned_words(assign)}."


def soon(row: Row) -> str:
    """Say that nothing stands in the way."""
    return "Accepted; nothing has started yet." if row["state"] == "pending" else "Between two steps."


def more(count: int) -> str:
    """Say that there is more.

    >>> more(0), more(1), more(3)
    ('', 'One thing more is under way.', '3 things more are under way.')
    """
    if count <= 0:
        return ""
    return "One thing more is under way." if count == 1 else f"{count} things more are under way."


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
