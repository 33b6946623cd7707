"""Settling: a step reached its end; what waited for it is looked at."""

from __future__ import annotations

from typing import Any

from workflows_app.engine.commands import ClearTimers, Unsubscribe
from workflows_app.engine.definition.model import Rest
from workflows_app.engine.events import EventType
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.paths import split
from workflows_app.engine.states import StepState
from workflows_app.engine.transitions.draft import Draft, Look


def settle(draft: Draft, kind: EventType, node: Node, **data: Any) -> None:
    """Record the event that settles the node and look at everything that waited for it."""
    _touch_waiters(draft, node)
    step = draft.step(node.path)
    timed = step.due_at is not None or step.state is StepState.WAITING or node.step.deadline is not None
    draft.emit(kind, node.path, **data)
    if timed:
        draft.command(ClearTimers(step=node.path))
    if node.kind is NodeKind.RECEIVE and step.state is StepState.WAITING:
        draft.command(Unsubscribe(step=node.path))
    follow(draft, node)


def _touch_waiters(draft: Draft, node: Node) -> None:
    """Look up the rows whose counters the event changes, so that none is missing when it is folded in."""
    for path in (*node.successors, *([node.parent] if node.parent else [])):
        draft.step(path)


def follow(draft: Draft, node: Node) -> None:
    """Look at the successors, then at the block around, once the events at hand are recorded."""
    for path in node.successors:
        draft.look_later(Look.ENTER, path)
    draft.look_later(Look.CLOSE, node.parent)


def complete(draft: Draft, node: Node, **data: Any) -> None:
    """Settle the node as completed; with the last branch that a race needs its block is decided."""
    settle(draft, EventType.STEP_COMPLETED, node, **data)
    if node.racer and node.kind is NodeKind.BRANCH and node.parent:
        block = draft.step(node.parent)
        if block.state is StepState.WAITING and not block.stopping:
            _decide(draft, draft.graph[node.parent])


def _decide(draft: Draft, race: Node) -> None:
    draft.need_steps(race.children)
    won = [path for path in race.children if draft.step(path).state is StepState.COMPLETED]
    if len(won) == race.branch_join.quorum:
        draft.need_values(won)
        outputs = {split(path)[1]: draft.values_of(path).output for path in won}
        decided(draft, race, output={**dict.fromkeys(split(path)[1] for path in race.children), **outputs})


def decided(draft: Draft, race: Node, **data: Any) -> None:
    """Settle a race that enough of its parts completed; the others may have to stop."""
    complete(draft, race, **data)
    if race.branch_join.rest is Rest.CANCEL:
        draft.look_next(Look.LOSERS, race.path)


def skip(draft: Draft, node: Node, reason: str, *, follow: bool = True, **data: Any) -> None:
    """Settle the node, and everything inside it, as skipped; skips do not propagate to successors.

    Args:
        follow: whether successors and the block are looked at; not while a whole branch is being skipped.
        data: further facts for the event.
    """
    if follow:
        settle(draft, EventType.STEP_SKIPPED, node, reason=reason, **data)
    else:
        _touch_waiters(draft, node)
        draft.emit(EventType.STEP_SKIPPED, node.path, reason=reason, **data)
    for inner in draft.graph.descendants(node.path):
        _touch_waiters(draft, inner)
        draft.emit(EventType.STEP_SKIPPED, inner.path, reason="block")
