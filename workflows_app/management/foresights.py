"""What ``--dry-run`` of ``workflow rewind`` and ``rerun`` says: what would be undone, in which order, and run again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from workflows_app.engine.transitions.foreseeing import Foreseen
from workflows_app.management.answers import DONE, REFUSED
from workflows_app.management.reading import read_input
from workflows_app.services import rewinds
from workflows_app.taming import tame


def answer(key: UUID, *, including: bool, options: dict[str, Any]) -> tuple[dict[str, Any], str, int]:
    """Return the document, the text and the exit code: refused where an undo would fail at once.

    Raises:
        OrchestratorError: the refusal that the act itself would meet.
    """
    given = None if options.get("input") is None else read_input(options["input"], "input")
    found = rewinds.foresee(
        instance_id=key, step=options["step"], including=including, parameters=given, variables=options["data"]
    )
    document = {
        "id": str(key),
        "undone": [list(turn) for turn in found.undone],
        "unneeded": list(found.unneeded),
        "failing": [{"step": step, "error": error} for step, error in found.failing.items()],
        "again": list(found.again),
    }
    return document, "\n".join(_lines(found)), REFUSED if found.failing else DONE


def _lines(found: Foreseen) -> list[str]:
    lines = [f"{place}. undo {tame(', '.join(turn))}" for place, turn in enumerate(found.undone, start=1)]
    lines += [f"no undo needed: {tame(path)}" for path in found.unneeded]
    lines += [
        tame(f"the undo of {path} would fail: {error['code']}: {error['message']}")
        for path, error in found.failing.items()
    ]
    if found.again:
        lines.append(f"wait for their turn again: {tame(', '.join(found.again))}")
    return lines
