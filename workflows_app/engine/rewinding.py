"""Rewinding: an instance goes back to a step; what came after it, or it too, is undone and waits for its turn again.

What a rewind takes back follows from the definition: the steps of the outermost list that depend on the step. They are
undone like everything is (``unwinding``), though nothing else is, and then their rows are as if they had never run, but
for what outlives a run: the attempts and generations count on, so that nothing late is mistaken for something new, and
``rerun`` counts the runs, so that other systems do not take the new one for a repetition of the old.

``rewind`` of the instance keeps what was asked for meanwhile: ``{to, including, resume, by, reason, pending, open}``,
of which the last two are what the instance's own failure had ended (see ``reopening``), ``input`` where the step is
to run with other parameters, and ``variables`` where these have other values then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from workflows_app.engine import idempotency, reopening
from workflows_app.engine.graph import Graph
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.snapshot import StepSnapshot
from workflows_app.engine.states import InstanceState

if TYPE_CHECKING:
    from workflows_app.engine.fold import State


def scope(graph: Graph, step: str, *, including: bool) -> frozenset[str]:
    """Return the nodes of the outermost list that a rewind to a step takes back.

    Args:
        including: whether the step itself is one of them.
    """
    return graph.behind(step) | ({step} if including else frozenset())


def scope_of(state: State) -> frozenset[str] | None:
    """Return what the rewind under way takes back, ``None`` if there is none."""
    asked = state.instance.rewind
    return None if asked is None else scope(state.graph, asked["to"], including=asked["including"])


def inside(graph: Graph, names: frozenset[str]) -> Iterator[Node]:
    """Yield these nodes and all inside them, outer before inner, in document order; iterations are left out."""
    for name in graph.roots:
        if name in names:
            yield graph[name]
            yield from graph.descendants(name)


def take_back(state: State, again: Iterable[str], pending: Iterable[str], open_: Iterable[str]) -> None:
    """Let steps wait for their turn as if they had never run, and pause.

    Args:
        again: steps that a rewind takes back.
        pending: steps that the instance's failure had ended, and
        open_: blocks that it had; these go on where they stood.
    """
    again = list(again)
    for path in again:
        before, node = state.step(path), state.graph[path]
        rerun = before.rerun + 1
        default = node.kind is NodeKind.ACTIVITY and node.idempotency_key is None
        state.steps[path] = StepSnapshot(
            path=path,
            generation=before.generation + 1,
            attempts=before.attempts,
            rerun=rerun,
            idempotency_key=idempotency.default(state.instance.id, path, rerun) if default else None,
        )
    reopening.reopen(state, pending, open_, again=again)
    gone = frozenset(again)
    state.instance = replace(
        state.instance,
        state=InstanceState.PAUSED,
        rewind=None,
        undo_open=0,
        undone=0,
        undo_failed=0,
        held=tuple(each for each in state.instance.held if each["step"] not in gone),
    )
