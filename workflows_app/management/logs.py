"""Logs of attempts in a terminal: ``workflow logs``."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from typing import Any

from workflows_app.engine.errors import NotFound
from workflows_app.engine.states import INSTANCE_ENDED
from workflows_app.models import Instance
from workflows_app.selectors import log_views, results
from workflows_app.selectors.log_tail import Tail
from workflows_app.services import graphs
from workflows_app.taming import tame


def add_arguments(parser: ArgumentParser, count: Callable[[str], int]) -> None:
    """Declare the options of ``workflow logs``."""
    parser.add_argument("id", metavar="ID")
    parser.add_argument("--step", metavar="PATH", help="only what attempts of this step said")
    parser.add_argument("--attempt", type=count, metavar="N", help="only what attempts with this number said")
    parser.add_argument(
        "--limit", type=count, default=log_views.MOST_LINES, help="the last so many lines, 1000 at most and by default"
    )
    parser.add_argument(
        "--follow", action="store_true", help="print what else is said until the instance has ended; Ctrl-C ends it"
    )


def answer(*, id: str, step: str | None, attempt: int | None, limit: int) -> tuple[dict[str, Any], str]:
    """Return the last lines of an instance as a document and as text.

    Raises:
        NotFound: with code INSTANCE_NOT_FOUND, or STEP_NOT_FOUND where nothing has happened at that path.
    """
    found = _instance(id)
    key = found.pk
    if step is not None and not found.attempts.filter(path=step).exists():
        raise NotFound(f"no attempt of a step {step[:300]!r} has been made", code="STEP_NOT_FOUND")
    lines, is_cut = log_views.last_lines(key, step=step, attempt=attempt, number=limit)
    rows = [log_views.as_dict(line) for line in lines]
    head = [f"the last {limit} lines; there are earlier ones"] if is_cut else []
    text = "\n".join([*head, *map(_text, rows)]) or "nothing was logged"
    return {"id": str(key), "lines": rows, "cut": is_cut}, text


def follow(
    *, id: str, step: str | None, attempt: int | None, limit: int, pause: Callable[[], object]
) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the last lines of an instance, then what else is said until it has ended: each as a document and as text.

    Args:
        id: of the instance.
        step: only what attempts of this step say, which may begin later.
        attempt: only what attempts with this number say.
        limit: of the lines that are there already only so many, the last ones.
        pause: waits between two looks at the database.

    Raises:
        NotFound: with code INSTANCE_NOT_FOUND, also where it was purged or archived meanwhile, or STEP_NOT_FOUND where
            the instance can have no such step.
    """
    found = _instance(id)
    if step is not None:
        _require_step(found, step)
    tail = Tail(found.pk, step=step, attempt=attempt, number=limit)
    # The last worker may still be writing when the instance ends: it is looked at once more.
    left = 1 if found.state in INSTANCE_ENDED else 2
    while left:
        for line in tail.news():
            row = log_views.as_dict(line)
            yield row, _text(row)
        if left == 1 or _instance(id).state in INSTANCE_ENDED:
            left -= 1
        if left:
            pause()


def _instance(id: str) -> Instance:
    found = Instance.objects.only("state", "definition_version_id", "overrides").filter(pk=results.parse_id(id)).first()
    if found is None:
        raise results.missing(id)
    return found


def _require_step(found: Instance, step: str) -> None:
    try:
        graphs.of_row(found)[step]
    except (KeyError, ValueError) as unknown:
        raise NotFound(f"the instance can have no step {step[:300]!r}", code="STEP_NOT_FOUND") from unknown


def _text(line: dict[str, Any]) -> str:
    """Return a line; what it goes on with below is indented, so that it is taken for no line of its own."""
    first, *further = line["text"].split("\n")
    head = f"{line['at']}  {tame(line['step'])} #{line['attempt']}  {line['level']:<8}  {tame(first)}"
    return "\n".join([head, *(f"    {tame(each)}" for each in further)])
