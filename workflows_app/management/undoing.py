"""``workflow undo``: an operator sees to an undo that failed."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from workflows_app.models import Instance
from workflows_app.selectors import results
from workflows_app.services import undos
from workflows_app.taming import tame

Answer = tuple[dict[str, Any], str]
"""A document, and the same as text."""
ACTS: dict[str, tuple[Callable[..., Instance], str]] = {
    "retry": (undos.retry, "Let an undo that failed run again."),
    "skip": (undos.skip, "Record that nobody is going to undo a step whose undo failed."),
    "done": (undos.done, "Record that a step whose undo failed was undone by hand."),
}


def add_arguments(verbs: Any, add_format: Callable[[ArgumentParser], None]) -> None:
    words = "See to an undo that failed: run it again, or say what has become of it."
    actions = verbs.add_parser("undo", help=words, description=words).add_subparsers(
        dest="action", required=True, metavar="|".join(ACTS)
    )
    for name, (_, help) in ACTS.items():
        sub = actions.add_parser(name, help=help, description=help)
        add_format(sub)
        sub.add_argument("id", metavar="ID")
        sub.add_argument("step", metavar="STEP", help="its path, as `show` names it")
        kept = "kept in the history and on the audit trail"
        sub.add_argument("--reason", default="", required=name != "retry", help=kept)


def answer(action: str, *, id: str, step: str, reason: str, actor: str, **options: Any) -> Answer:
    """Do what the action says and return how the instance stands."""
    act, _ = ACTS[action]
    found = act(instance_id=results.parse_id(id), step=step, actor=actor, reason=reason)
    row = found.steps.get(path=step)
    document = {"id": str(found.pk), "state": found.state, "step": {"path": row.path, "state": row.state}}
    return document, tame(f"{row.path} is {row.state}; {found.pk} is {found.state}")
