"""The canvas: which messages carry a decision's dispatches, and what follows them for certain.

``compile`` starts from the ready frontier of one instance and takes the largest static region that fits a bound in
bytes: steps that follow without a decision become links of a chain, branches a group, branches that meet again the
header of a chord. It stops at what only runtime knows (conditions, choices, waits, races) and where a join cannot be
nested; there the engine is asked for the next plan. Recovery is the same function on the stored frontier.

Pure: a plan names steps and generations; ``dispatch`` renders it as Celery signatures. A plan is only a forecast. What
happens is decided in the database, and a message whose forecast does not come true claims nothing or ends its chain.

The modules: ``plans`` (the tree), ``static`` (what a definition says for certain), ``strands`` and ``growing`` (how a
region grows), ``wide`` (wide groups and their chunks), ``sizes`` (bytes), ``surveying`` (a whole definition, for
people).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from workflows_app.engine.canvas import growing, wide
from workflows_app.engine.canvas.plans import Chain, Chord, Group, Plan, Task, first, tasks, width
from workflows_app.engine.canvas.regions import HandOver, Region
from workflows_app.engine.canvas.sizes import size, weigh
from workflows_app.engine.commands import Dispatch
from workflows_app.engine.graph import Graph

LIMIT_BYTES = 32_000
"""How many bytes the messages of one region may take at once."""

__all__ = [
    "LIMIT_BYTES",
    "Chain",
    "Chord",
    "Group",
    "HandOver",
    "Plan",
    "Region",
    "Task",
    "compile",
    "first",
    "region",
    "size",
    "tasks",
    "weigh",
    "width",
]


def compile(
    graph: Graph, frontier: Sequence[Dispatch], *, fusing: bool = True, limit_bytes: int = LIMIT_BYTES
) -> Plan | None:
    """Render the ready frontier of one instance as the largest plan that needs no decision in between.

    Args:
        graph: the graph of the instance's version.
        frontier: dispatches as decided; a step appears once.
        fusing: whether a worker runs consecutive light steps of one queue in one message, and chunks of wide groups.
        limit_bytes: bound on the bytes of the plan's messages. The frontier itself goes out in any case.

    Returns:
        ``None`` for an empty frontier.
    """
    return region(graph, frontier, fusing=fusing, limit_bytes=limit_bytes).plan if frontier else None


def region(
    graph: Graph, frontier: Sequence[Dispatch], *, fusing: bool = True, limit_bytes: int = LIMIT_BYTES
) -> Region:
    """Return the plan of a frontier that is not empty, with its hand-overs; the arguments are those of ``compile``."""
    if len(frontier) > wide.WIDE:
        return wide.dispatched(graph, frontier, fusing=fusing)
    return _grown(graph, tuple(frontier), fusing, limit_bytes)


@lru_cache(maxsize=4096)
def _grown(graph: Graph, frontier: tuple[Dispatch, ...], fusing: bool, limit_bytes: int) -> Region:
    """Instances of one version come to the same frontiers again and again."""
    return growing.grow(graph, frontier, fusing=fusing, limit_bytes=limit_bytes)
