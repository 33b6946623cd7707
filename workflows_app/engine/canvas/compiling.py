"""Compiling: a ready frontier becomes a plan; instances of one version come to the same frontiers again and again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from workflows_app.engine.canvas import growing, wide
from workflows_app.engine.canvas.plans import Plan
from workflows_app.engine.canvas.regions import Region
from workflows_app.engine.commands import Dispatch
from workflows_app.engine.graph import Graph

LIMIT_BYTES = 32_000
"""How many bytes the messages of one region may take at once."""
REMEMBERED = 1024
"""How many frontiers a process remembers the regions of."""


def compile(
    graph: Graph,
    frontier: Sequence[Dispatch],
    *,
    fusing: bool = True,
    chunk: int | None = None,
    limit_bytes: int = LIMIT_BYTES,
) -> Plan | None:
    """Render the ready frontier of one instance as the largest plan that needs no decision in between.

    Args:
        graph: the graph of the instance's version.
        frontier: dispatches as decided; a step appears once.
        fusing: whether a worker runs consecutive light steps of one queue in one message, and chunks of wide groups.
        chunk: how many members of a wide group share a message, where their pace has been measured.
        limit_bytes: bound on the bytes of the plan's messages. The frontier itself goes out in any case.

    Returns:
        ``None`` for an empty frontier.
    """
    return region(graph, frontier, fusing=fusing, chunk=chunk, limit_bytes=limit_bytes).plan if frontier else None


def region(
    graph: Graph,
    frontier: Sequence[Dispatch],
    *,
    fusing: bool = True,
    chunk: int | None = None,
    limit_bytes: int = LIMIT_BYTES,
) -> Region:
    """Return the plan of a frontier that is not empty, with its hand-overs; the arguments are those of ``compile``."""
    if len(frontier) > wide.WIDE or (chunk or 0) > 1:
        return wide.dispatched(graph, frontier, fusing=fusing, chunk=chunk or wide.CHUNK)
    return _grown(graph, tuple(frontier), fusing, limit_bytes)


@lru_cache(maxsize=REMEMBERED)
def _grown(graph: Graph, frontier: tuple[Dispatch, ...], fusing: bool, limit_bytes: int) -> Region:
    return growing.grow(graph, frontier, fusing=fusing, limit_bytes=limit_bytes)
