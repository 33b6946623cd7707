"""Losing: a join or a race is decided without some of its steps; what becomes of them, and when nothing can win."""

from __future__ import annotations

from typing import Any

from workflows_app.engine.commands import TellToStop
from workflows_app.engine.events import EventType
from workflows_app.engine.node import Node
from workflows_app.engine.states import STEP_OPEN, StepState
from workflows_app.engine.transitions import telling
from workflows_app.engine.transitions.draft import Draft
from workflows_app.engine.transitions.problems import error
from workflows_app.engine.transitions.stopping import cancel, drain


def unreachable(among: tuple[str, ...], quorum: int) -> dict[str, Any]:
    """The error of a join that too few can complete for."""
    names = ", ".join(among)
    message = f"none of {names} completed" if quorum == 1 else f"fewer than {quorum} of {names} can complete"
    return error("JOIN_UNREACHABLE", message)


def cancel_losers(draft: Draft, node: Node) -> None:
    """Cancel the needs that a step did not wait for, and what leads only to them; what leads elsewhere too goes on."""
    siblings = draft.graph.siblings(node.path)
    draft.need_steps(siblings)
    losers = {node.path}
    todo = list(node.needs)
    while todo:
        other = draft.graph[todo.pop()]
        wait = {path for path in other.successors if draft.step(path).state is StepState.PENDING}
        if other.path not in losers and wait <= losers:
            losers.add(other.path)
            todo.extend(other.needs)
    for path in siblings:
        if path in losers - {node.path}:
            _end_early(draft, draft.graph[path])


def cancel_branches(draft: Draft, race: Node) -> None:
    """Cancel the branches of a race that is decided."""
    parts = draft.open_iterations(race.path) if race.is_repeat else race.children
    draft.need_steps(parts)
    for path in parts:
        _end_early(draft, draft.graph[path])


def _end_early(draft: Draft, node: Node) -> None:
    """Cancel an open step; a running one is told, and if it completes all the same, that counts."""
    step = draft.step(node.path)
    if step.state not in STEP_OPEN or step.stopping:
        return
    if step.state is StepState.RUNNING:
        draft.emit(EventType.STEP_STOPPING, node.path)
        draft.command(TellToStop(step=node.path))
    elif step.state is StepState.WAITING and node.is_container:
        draft.emit(EventType.STEP_STOPPING, node.path)
        drain(draft, node)
    elif telling.is_waited_for(node, step):
        telling.stop(draft, node)
    else:
        cancel(draft, node)
