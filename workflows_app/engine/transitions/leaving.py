"""Leaving: an operator sees to an undo that failed: it runs again, was done by hand, or is not going to be done.

The rest of the undo went on without it, so nothing waits for it but the instance's end. That is ``compensated`` as
soon as nothing is left that failed; a step that nobody undoes leaves it ``compensation_failed``, which is the truth.
"""

from __future__ import annotations

from workflows_app.engine.errors import StateForbids
from workflows_app.engine.events import EventType
from workflows_app.engine.node import Node
from workflows_app.engine.states import InstanceState, StepState
from workflows_app.engine.transitions import operating, undoing
from workflows_app.engine.transitions.draft import Draft
from workflows_app.engine.transitions.occurrences import RetryUndo, SkipUndo, UndoDone
from workflows_app.engine.transitions.problems import error

SKIPPED = "UNDO_SKIPPED"
"""The code of an undo that nobody is going to do."""


def retry(draft: Draft, occurrence: RetryUndo) -> None:
    """Let the undo of a step run again, with as many attempts as its policy grants.

    Raises:
        NotFound: STEP_NOT_FOUND.
        StateForbids: its undo has not failed, is that of another instance, or would overtake one that comes before it;
            the first pass over all undos has not ended.
    """
    node = _failed(draft, occurrence.step)
    if node.undone_by_child:
        _point_to_child(draft, node)
        raise StateForbids(f"the instance that {node.path} called was terminated while it was undone; say done or skip")
    _require_turn(draft, node)
    draft.values_of(node.path)
    draft.actor = occurrence.actor
    if draft.instance.state is InstanceState.COMPENSATION_FAILED:
        draft.emit(EventType.INSTANCE_COMPENSATING, again=True)
    draft.emit(EventType.STEP_UNDO_RETRIED, node.path, reason=occurrence.reason)
    undoing.again(draft, node)


def skip(draft: Draft, occurrence: SkipUndo) -> None:
    """Record that nobody is going to undo a step, and why.

    Raises:
        NotFound: STEP_NOT_FOUND.
        StateForbids: its undo has not failed, or was skipped already.
    """
    node = _failed(draft, occurrence.step)
    before = draft.step(node.path).undo_error or {}
    if before.get("code") == SKIPPED:
        raise StateForbids(f"the undo of {node.path} was skipped already: {before['message']}")
    draft.actor = occurrence.actor
    problem = error(SKIPPED, occurrence.reason, by=occurrence.actor, failed_with=dict(before))
    draft.emit(EventType.STEP_UNDO_SKIPPED, node.path, error=problem)


def done(draft: Draft, occurrence: UndoDone) -> None:
    """Record that a step was undone by hand.

    Raises:
        NotFound: STEP_NOT_FOUND.
        StateForbids: its undo has not failed, or is that of another instance.
    """
    node = _failed(draft, occurrence.step)
    if node.undone_by_child:
        _point_to_child(draft, node)
    draft.actor = occurrence.actor
    undoing.seen_to(draft, node, output=None, by_hand=occurrence.reason)


def _require_turn(draft: Draft, node: Node) -> None:
    """Refuse what would break the order: the first pass may still come to what the step depended on."""
    draft.require_whole()
    under_way = sorted(path for path, step in draft.steps.items() if step.state is StepState.COMPENSATING)
    if draft.instance.state is InstanceState.COMPENSATING and not undoing.is_again(draft):
        raise StateForbids(f"other steps are still being undone; {node.path} has its turn again when that has ended")
    for path in under_way:
        if undoing.precedes(draft, path, node.path):
            raise StateForbids(f"{path}, which depended on {node.path}, is being undone; that has to end first")


def _failed(draft: Draft, path: str) -> Node:
    """Return the step if its undo has failed and nothing of it is under way."""
    node, instance = operating.find(draft, path), draft.instance
    if instance.state not in (InstanceState.COMPENSATION_FAILED, InstanceState.COMPENSATING):
        raise StateForbids(f"the instance is {instance.state}; only an undo that has failed can be seen to")
    step = draft.step(node.path)
    if step.state is not StepState.COMPENSATION_FAILED:
        raise StateForbids(f"{node.path} is {step.state}; only an undo that has failed can be seen to")
    machine = draft.graph.definition.machine is not None
    if machine and instance.state is InstanceState.COMPENSATING and not instance.undo_open:
        raise StateForbids(f"the machine is still being undone, and may come to {node.path} again; wait for its end")
    return node


def _point_to_child(draft: Draft, node: Node) -> None:
    """Refuse where it is the instance below that knows what was not undone: this one follows it."""
    details = (draft.step(node.path).undo_error or {}).get("details", {})
    details = details.get("failed_with", {}).get("details", details)
    if details.get("state") != InstanceState.TERMINATED:
        below = details.get("instance")
        raise StateForbids(f"{node.path} is undone by the instance {below}; see to its steps there, this one follows")
