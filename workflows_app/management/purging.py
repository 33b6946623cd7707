"""``workflow purge`` and ``workflow delete``: finished instances go whole; a signed checkpoint stays."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from workflows_app.running.ownership import as_owner
from workflows_app.selectors import results
from workflows_app.services import purging
from workflows_app.services.purging import Purged

VERBS = ("purge", "delete")


def add_arguments(verb: Callable[[str, str], ArgumentParser]) -> None:
    """Declare both verbs; ``verb`` adds one by name and help."""
    sub = verb("purge", "Delete finished instances, whole, with all that they called.")
    sub.add_argument("--before", type=moment, required=True, metavar="DATE", help="ended before 2026-01-31, in UTC")
    sub.add_argument("--dry-run", action="store_true", help="say what would be deleted")
    sub.add_argument("--reason", default="", help="kept on the audit trail")
    sub = verb("delete", "Delete one finished instance, whole, with all that it called.")
    sub.add_argument("id", metavar="ID")
    sub.add_argument("--reason", default="", help="kept on the audit trail")


def answer(verb: str, *, actor: str, **options: Any) -> tuple[dict[str, Any], str]:
    """Delete, as the role that may; return the document and the text."""
    reason = options["reason"]
    if verb == "delete":
        key = results.parse_id(options["id"])
        with as_owner():
            return told(purging.delete(instance_id=key, actor=actor, reason=reason), dry_run=False)
    before, dry_run = options["before"], options["dry_run"]
    if dry_run:
        return told(purging.purge(before=before, actor=actor, dry_run=True), dry_run=True)
    with as_owner():
        return told(purging.purge(before=before, actor=actor, reason=reason), dry_run=False)


def told(found: Purged, *, dry_run: bool, done: str = "") -> tuple[dict[str, Any], str]:
    """Return what went as a document and as text; ``done`` says it in other words than that it is deleted."""
    counts = {f"{kind}s": number for kind, number in found.counts.items()}
    document = {**counts, "checkpoints": list(found.checkpoints), "dry_run": dry_run}
    named = ", ".join(f"{number} {kind}" for kind, number in counts.items())
    entries = ", ".join(str(number) for number in found.checkpoints)
    signed = f"; audit entry {entries}" if entries else ""
    return document, f"{named} {done or ('would be deleted' if dry_run else 'are deleted')}{signed}"


def moment(text: str) -> datetime:
    """Read a date, or a time in RFC 3339; without a zone it is UTC.

    Raises:
        ArgumentTypeError: it is none.

    >>> moment("2026-01-31").isoformat()
    '2026-01-31T00:00:00+00:00'
    """
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as problem:
        raise ArgumentTypeError(f"{text[:50]!r} is neither a date such as 2026-01-31 nor a time") from problem
