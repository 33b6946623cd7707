"""Operating: an operator lets a step that waits for its next attempt run at once, or skips one that has not run."""

from __future__ import annotations

from workflows_app.engine.commands import SetTimer, TimerKind, Withdraw
from workflows_app.engine.errors import NotFound, StateForbids
from workflows_app.engine.events import EventType
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.states import InstanceState, StepState
from workflows_app.engine.transitions import settling
from workflows_app.engine.transitions.draft import Draft
from workflows_app.engine.transitions.occurrences import RunNow, Skip

SKIPPABLE = (StepState.PENDING, StepState.SCHEDULED, StepState.RETRYING, StepState.WAITING)


def run_now(draft: Draft, occurrence: RunNow) -> None:
    """End the back-off of a step, or of its undo: its timer is due now.

    Raises:
        NotFound: STEP_NOT_FOUND.
        StateForbids: it does not wait for its next attempt.
    """
    node = find(draft, occurrence.step)
    step = draft.step(node.path)
    undo = step.state is StepState.COMPENSATING and step.attempt is None and step.due_at is not None
    if step.state is not StepState.RETRYING and not undo:
        raise StateForbids(f"{node.path} is {step.state}; only a step that waits to be tried again can be run now")
    draft.actor = occurrence.actor
    draft.emit(EventType.STEP_HURRIED, node.path, reason=occurrence.reason)
    draft.command(SetTimer(step=node.path, kind=TimerKind.RETRY, due_at=draft.now))


def skip(draft: Draft, occurrence: Skip) -> None:
    """Settle a step that has not run as skipped; what waits for it goes on.

    Raises:
        NotFound: STEP_NOT_FOUND.
        StateForbids: it runs or has settled, is open, or cannot be skipped by itself; the instance is ending.
    """
    node = find(draft, occurrence.step)
    _require_skippable(draft, node)
    draft.actor = occurrence.actor
    if draft.step(node.path).state is StepState.SCHEDULED:
        draft.command(Withdraw(step=node.path))
    settling.skip(draft, node, "operator", note=occurrence.reason)


def find(draft: Draft, path: str) -> Node:
    """Return the step that an operator names.

    Raises:
        NotFound: STEP_NOT_FOUND.
    """
    try:
        return draft.graph[path]
    except (KeyError, ValueError) as unknown:
        raise NotFound(f"there is no step {path[:100]!r}", code="STEP_NOT_FOUND") from unknown


def _require_skippable(draft: Draft, node: Node) -> None:
    instance, step = draft.instance, draft.step(node.path)
    if instance.state not in (InstanceState.RUNNING, InstanceState.PAUSED):
        raise StateForbids(f"the instance is {instance.state}; steps of a running or paused one can be skipped")
    if draft.stopped(node):
        raise StateForbids(f"{node.path} is stopping, with what is around it")
    if node.is_part or node.kind in (NodeKind.MACHINE, NodeKind.MOVE):
        raise StateForbids(f"{node.path} is no step that can be skipped by itself")
    if step.state not in SKIPPABLE:
        raise StateForbids(f"{node.path} is {step.state}; only a step that does not run and has not settled is skipped")
    if node.parent is not None and draft.step(node.parent).state is not StepState.WAITING:
        raise StateForbids(f"{node.parent} has not begun, so nothing in it can be skipped yet")
    if step.state is StepState.WAITING and node.is_container:
        raise StateForbids(f"{node.path} has begun; skip the steps in it")
    if step.state is StepState.WAITING and node.awaits_child:
        raise StateForbids(f"{node.path} waits for another workflow; cancel that instance")
