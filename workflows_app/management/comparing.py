"""Differences as text: what ``workflow diff`` prints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby, takewhile
from typing import Any

from workflows_app.engine.definition.comparing import Change, Difference
from workflows_app.taming import tame

LONGEST = 100
"""Longer values are cut; ``--format json`` has them whole."""
BEFORE = 20
"""So much of what two long values begin with is shown before their first difference."""


def text(name: str, old: str, new: str, found: Sequence[Difference], *, said: str = "") -> str:
    """Return differences as people read them, those of a step together.

    Args:
        name: of the workflow.
        old: the version or file that was, ``-`` for standard input.
        new: the one that is.
        found: the differences, those of a step one after the other.
        said: what the publisher of the new one said of its changes.

    >>> print(text("trip", "1.0.0", "-", [Difference(Change.CHANGED, "steps.pay.timeout", "30s", "1m")]))
    trip 1.0.0 -> standard input: 1 difference
    <BLANKLINE>
    step pay
      changed  timeout: "30s" -> "1m"
    """
    compared = (tame("standard input" if source == "-" else source) for source in (old, new))
    head = f"{tame(name)} {' -> '.join(compared)}"
    number = f"{len(found)} difference{'s' if len(found) > 1 else ''}" if found else "no difference in meaning"
    lines = [f"{head}: {number}", *([f"its publisher says: {tame(said)}"] if said else [])]
    for group, members in groupby(found, key=lambda each: _split(each.path)[0]):
        lines += ["", tame(group), *(f"  {each.kind.value:<7}  {_line(each)}" for each in members)]
    return "\n".join(lines)


def _split(path: str) -> tuple[str, str]:
    """Return the heading that a path belongs under, and what is left of it there.

    >>> _split("steps.pay.with.amount"), _split("steps.pay"), _split("output.total")
    (('step pay', 'with.amount'), ('step pay', ''), ('document', 'output.total'))
    """
    if not path.startswith("steps."):
        return "document", path
    name, _, rest = path.removeprefix("steps.").partition(".")
    return f"step {name}", rest


def _line(found: Difference) -> str:
    place = _split(found.path)[1]
    match found.kind:
        case Change.ADDED:
            values = _cut(_written(found.new))
        case Change.REMOVED:
            values = _cut(_written(found.old))
        case Change.CHANGED:
            values = _beside(_written(found.old), _written(found.new))
        case Change.MOVED:
            values = f"from {found.old} to {found.new}"
    return f"{tame(place)}: {values}" if place else values


def _beside(old: str, new: str) -> str:
    """Return two values beside each other, long ones from shortly before their first difference on.

    >>> _beside("1", "2")
    '1 -> 2'
    >>> _beside("a" * 200 + "b", "a" * 200 + "c")
    '...aaaaaaaaaaaaaaaaaaaab -> ...aaaaaaaaaaaaaaaaaaaac'
    """
    start = 0
    if max(len(old), len(new)) > LONGEST:
        alike = takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False))
        start = max(0, len(list(alike)) - BEFORE)
    return f"{_cut(old, start)} -> {_cut(new, start)}"


def _written(value: Any) -> str:
    return tame(json.dumps(value, ensure_ascii=False))


def _cut(written: str, start: int = 0) -> str:
    shown = f"...{written[start:]}" if start else written
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 3]}..."
