"""``workflow import``: what became of each document, as a table and as one document."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from workflows_app.management.listing import table
from workflows_app.services.imports import Imported, Outcome
from workflows_app.taming import tame

_WORDS = {
    Outcome.PUBLISHED: "published",
    Outcome.UNCHANGED: "was there",
    Outcome.REFUSED: "refused",
    Outcome.HELD_BACK: "held back",
    Outcome.NOT_TRIED: "not tried",
}


def add_arguments(sub: ArgumentParser) -> None:
    sub.add_argument("paths", metavar="PATH", nargs="+", help="files, folders, .zip archives, - for standard input")
    sub.add_argument("--dry-run", action="store_true", help="say what would happen, and leave everything as it is")


def refused(results: Sequence[Imported]) -> bool:
    """Whether any document was refused, so that nothing was published."""
    return any(each.outcome in (Outcome.REFUSED, Outcome.NOT_TRIED) for each in results)


def answer(results: Sequence[Imported], *, dry_run: bool) -> tuple[dict[str, Any], str]:
    """Return the results as a document and as people read them."""
    document = {
        "dry_run": dry_run,
        "stored": not dry_run and not refused(results),
        "documents": [each.as_dict() for each in results],
    }
    rows = [
        {"outcome": _word(each, dry_run), "workflow": each.workflow, "version": each.version, "file": each.place}
        for each in results
    ]
    problems = [f"{tame(each.place)}: {tame(str(problem))}" for each in results for problem in each.problems]
    return document, "\n".join([table(rows), "", *problems, _conclusion(results, dry_run=dry_run)])


def _word(each: Imported, dry_run: bool) -> str:
    return "sound" if dry_run and each.outcome is Outcome.PUBLISHED else _WORDS[each.outcome]


def _conclusion(results: Sequence[Imported], *, dry_run: bool) -> str:
    failed = sum(each.outcome in (Outcome.REFUSED, Outcome.NOT_TRIED) for each in results)
    new = sum(each.outcome is Outcome.PUBLISHED for each in results)
    if failed:
        return f"nothing is published: {failed} of {len(results)} cannot be"
    return f"{new} of {len(results)} {'would be' if dry_run else 'are'} published"
