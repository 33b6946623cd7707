"""Logs of attempts in a terminal: ``workflow logs``."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from workflows_app.engine.errors import NotFound
from workflows_app.models import Instance
from workflows_app.selectors import log_views, results
from workflows_app.taming import tame


def add_arguments(parser: ArgumentParser, count: Callable[[str], int]) -> None:
    """Declare the options of ``workflow logs``."""
    parser.add_argument("id", metavar="ID")
    parser.add_argument("--step", metavar="PATH", help="only what attempts of this step said")
    parser.add_argument("--attempt", type=count, metavar="N", help="only what attempts with this number said")
    parser.add_argument(
        "--limit", type=count, default=log_views.MOST_LINES, help="the last so many lines, 1000 at most and by default"
    )


def answer(*, id: str, step: str | None, attempt: int | None, limit: int) -> tuple[dict[str, Any], str]:
    """Return the last lines of an instance as a document and as text.

    Raises:
        NotFound: with code INSTANCE_NOT_FOUND, or STEP_NOT_FOUND where nothing has happened at that path.
    """
    key = results.parse_id(id)
    found = Instance.objects.filter(pk=key).first()
    if found is None:
        raise NotFound(f"there is no instance {id}", code="INSTANCE_NOT_FOUND")
    if step is not None and not found.attempts.filter(path=step).exists():
        raise NotFound(f"no attempt of a step {step[:300]!r} has been made", code="STEP_NOT_FOUND")
    lines, is_cut = log_views.last_lines(key, step=step, attempt=attempt, number=limit)
    rows = [log_views.as_dict(line) for line in lines]
    head = [f"the last {limit} lines; there are earlier ones"] if is_cut else []
    text = "\n".join([*head, *map(_text, rows)]) or "nothing was logged"
    return {"id": str(key), "lines": rows, "cut": is_cut}, text


def _text(line: dict[str, Any]) -> str:
    """Return a line; what it goes on with below is indented, so that it is taken for no line of its own."""
    first, *further = line["text"].split("\n")
    head = f"{line['at']}  {tame(line['step'])} #{line['attempt']}  {line['level']:<8}  {tame(first)}"
    return "\n".join([head, *(f"    {tame(each)}" for each in further)])
