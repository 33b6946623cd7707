"""Naming: what a survey calls nodes and iterations, for people."""

from __future__ import annotations

from collections.abc import Sequence

from workflows_app.engine.definition.model import MOST_ITEMS
from workflows_app.engine.node import NodeKind

NAMES = 3
"""How many steps are named before they are only counted."""
ITERATION = f"[{MOST_ITEMS - 1}]"
"""The iteration that stands for all of them: its paths are as long as any, so that sizes are estimated from above."""
ANY = "[...]"
"""How that iteration is shown to people."""
BLOCKS = {
    NodeKind.CHOICE: "the choice ",
    NodeKind.PARALLEL: "the block ",
    NodeKind.FOREACH: "the block ",
    NodeKind.LOOP: "the block ",
    NodeKind.ADHOC: "the section ",
}
"""What a node is called, if anything, where something follows it."""


def shown(path: str) -> str:
    """Return how a survey shows a path.

    >>> shown("each[99999].again[99999].inc"), shown("pay")
    ('each[...].again[...].inc', 'pay')
    """
    return path.replace(ITERATION, ANY)


def named(paths: Sequence[str]) -> str:
    """Name a few steps, or count many.

    >>> named(["a", "b"]), named(["a"] * 9)
    ('`a` and `b`', '9 steps')
    """
    if len(paths) > NAMES:
        return f"{len(paths)} steps"
    *others, last = (f"`{shown(path)}`" for path in paths)
    return f"{', '.join(others)} and {last}" if others else last
