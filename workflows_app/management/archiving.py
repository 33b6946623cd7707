"""``workflow archive``, ``workflow archived`` and ``workflow retention``: what is kept, for how long, and where."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from workflows_app.archives import places
from workflows_app.engine.durations import format_duration
from workflows_app.management import listing
from workflows_app.management.purging import moment, told
from workflows_app.models import ArchivedInstance
from workflows_app.running.ownership import as_owner
from workflows_app.selectors import results
from workflows_app.services import archived, purging, retention

VERBS = ("archive", "archived", "retention")

Answer = tuple[dict[str, Any], str]


def add_arguments(
    verb: Callable[[str, str], ArgumentParser],
    verbs: Any,
    add_format: Callable[[ArgumentParser], None],
    count: Callable[[str], int],
) -> None:
    """Declare the verbs; ``verb`` adds one by name and help, ``verbs`` one with actions; ``count`` reads a limit."""
    sub = verb("archive", "Write finished instances to archives, with all that they called, and delete them.")
    sub.add_argument("--before", type=moment, required=True, metavar="DATE", help="ended before 2026-01-31, in UTC")
    sub.add_argument("--to", metavar="FOLDER", help="instead of the place that ORCHESTRATOR_ARCHIVE names")
    sub.add_argument("--dry-run", action="store_true", help="say what would be archived")
    sub.add_argument("--reason", default="", help="kept on the audit trail")
    sub = verb("retention", "Say whose retention is over: what the sweeper purges and archives next.")
    sub.add_argument("--apply", action="store_true", help="purge and archive it now")
    looks = verbs.add_parser("archived", help="Look at archived instances.")
    acts = looks.add_subparsers(dest="action", required=True, metavar="ACTION")
    for action, help in (
        ("list", "List archived instances, the last archived first."),
        ("show", "Show one with its steps and attempts."),
        ("history", "Print the events of one."),
        ("verify", "Read archives whole and compare them with the audit trail; exit 0 when all are sound."),
    ):
        act = acts.add_parser(action, help=help, description=help)
        if action == "list":
            act.add_argument("--workflow")
            act.add_argument("--limit", type=count, default=20, metavar="N", help="at most 1000 instances")
        elif action == "verify":
            act.add_argument("id", metavar="ID", nargs="?", help="only this one; all by default")
        else:
            act.add_argument("id", metavar="ID")
        add_format(act)


def answer(verb: str, *, actor: str, **options: Any) -> tuple[dict[str, Any], str, bool]:
    """Do what is asked; return the document, the text, and whether all is well."""
    if verb == "archive":
        return *_archive(actor, **options), True
    if verb == "retention":
        return _applied() if options["apply"] else (*_due(), True)
    action = options["action"]
    if action == "list":
        rows = [_row(row) for row in archived.newest(workflow=options["workflow"], number=options["limit"])]
        return {"instances": rows}, listing.table(rows), True
    if action == "verify":
        return _verified(options["id"])
    return *_read(action, archived.find(results.parse_id(options["id"]))), True


def _archive(actor: str, *, before: Any, to: str | None, dry_run: bool, reason: str, **_: Any) -> Answer:
    place = "" if to is None else os.path.abspath(to)
    places.at(place)
    if dry_run:
        return told(purging.purge(before=before, actor=actor, dry_run=True), done="would be archived", dry_run=True)
    with as_owner():
        found = purging.purge(before=before, actor=actor, reason=reason, archive=place)
    return told(found, done="are archived", dry_run=False)


def _due() -> Answer:
    due = retention.due()
    found = [
        {
            "workflow": each.workflow,
            "version": each.version,
            "keep": format_duration(each.keep),
            "then": each.then,
            "instances": each.instances,
            "oldest": each.oldest.isoformat().replace("+00:00", "Z"),
        }
        for each in due
    ]
    total = sum(each.instances for each in due)
    is_more = total >= retention.MOST_LOOKED_AT
    document = {"due": found, "instances": total, "more": is_more}
    if not found:
        return document, "nobody's retention is over"
    more = f"\nonly {total} were looked at; there may be more" if is_more else ""
    return document, listing.table(found) + more


def _applied() -> tuple[dict[str, Any], str, bool]:
    with as_owner():
        done = retention.enforce()
    document, text = told(purging.Purged(counts=done.counts, checkpoints=done.checkpoints), dry_run=False)
    failures = [{"id": str(key), "reason": reason} for key, reason in done.failures]
    lines = [f"{each['id']} stays: {each['reason']}" for each in failures]
    return {**document, "failures": failures}, "\n".join([text, *lines]), not failures


def _verified(text: str | None) -> tuple[dict[str, Any], str, bool]:
    rows = list(archived.tops()) if text is None else [archived.find(results.parse_id(text))]
    found = [
        {"archive": str(row.root), "code": fault.code, "reason": fault.message}
        for row in rows
        if (fault := archived.fault_of(row)) is not None
    ]
    lines = [f"{each['archive']}: {each['reason']} ({each['code']})" for each in found]
    summary = f"{len(rows)} archives verified, {len(found)} broken"
    return {"verified": len(rows), "faults": found}, "\n".join([*lines, summary]), not found


def _read(action: str, row: ArchivedInstance) -> Answer:
    with archived.opened(row) as archive:
        if action == "history":
            events = [
                {
                    "sequence": each.sequence,
                    "type": each.type,
                    "step": each.step,
                    "at": each.at.isoformat().replace("+00:00", "Z"),
                    "data": each.data,
                    "actor": each.actor,
                }
                for each in archive.history(row.pk)
            ]
            return {"events": events}, listing.history(events)
        archive.verify()
        found = {
            **_row(row),
            **{key: archive.instance(row.pk)[key] for key in ("cause", "input", "output", "error", "started_by")},
            **{kind: list(archive.rows(row.pk, kind)) for kind in ("steps", "attempts", "effects", "artifacts")},
        }
    lines = [
        f"{row.pk}  {row.workflow} {row.version}  {row.state}",
        f"archived {found['archived_at']} by {row.archived_by}, audit entry {row.entry}, SHA-256 {row.digest}",
        listing.table([{key: each[key] for key in ("path", "state", "attempts")} for each in found["steps"]]),
    ]
    return found, "\n".join(lines)


def _row(row: ArchivedInstance) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "workflow": row.workflow,
        "version": row.version,
        "state": row.state,
        "ended_at": row.ended_at.isoformat().replace("+00:00", "Z"),
        "archived_at": row.archived_at.isoformat().replace("+00:00", "Z"),
        "archived_by": row.archived_by,
        "archive": str(row.root),
        "sha256": row.digest,
        "bytes": row.size,
        "place": row.place or None,
    }
