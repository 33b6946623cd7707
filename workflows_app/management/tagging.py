"""``workflow tag``: an operator adds words by which an instance is found, or takes some away."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from workflows_app.selectors import results
from workflows_app.services import interventions
from workflows_app.taming import tame


def add_arguments(sub: ArgumentParser) -> None:
    """Declare what the command takes."""
    sub.add_argument("id", metavar="ID")
    sub.add_argument("action", choices=["add", "remove"])
    sub.add_argument("tags", metavar="TAG", nargs="+", help="a word, or WORD=WORD")
    sub.add_argument("--reason", default="", help="kept in the history and on the audit trail")


def answer(*, id: str, action: str, tags: list[str], reason: str, actor: str) -> tuple[dict[str, Any], str]:
    """Change the tags; return those that the instance has now, as a document and as text."""
    changed = {action: tags}
    found = interventions.tag(instance_id=results.parse_id(id), actor=actor, reason=reason, **changed)
    return {"id": str(found.pk), "tags": found.tags or []}, tame(
        f"{found.pk} has {', '.join(found.tags or ['no tags'])}"
    )
