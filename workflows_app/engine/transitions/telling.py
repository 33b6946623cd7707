"""Telling: what an instance tells those that its steps called, when it stops, ends at once, or undoes what they did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows_app.engine.callee import child_id
from workflows_app.engine.commands import NoticeKind, TellChild
from workflows_app.engine.events import EventType
from workflows_app.engine.node import Node
from workflows_app.engine.snapshot import StepSnapshot
from workflows_app.engine.states import Cause, StepState
from workflows_app.engine.transitions.draft import Draft


def is_waited_for(node: Node, step: StepSnapshot) -> bool:
    """Whether the step waits for an instance that it called: for its end, or for its undo."""
    undoing = step.state is StepState.COMPENSATING and node.undone_by_child
    return node.awaits_child and (step.state is StepState.WAITING or undoing)


def child_of(draft: Draft, path: str) -> str:
    """Return the id of the instance that a step called last."""
    return child_id(draft.instance.id, path, draft.step(path).generation)


def stop(draft: Draft, node: Node, problem: Mapping[str, Any] | None = None) -> None:
    """Cancel what the step called, once; the step goes on when that has ended.

    Args:
        problem: what the step fails with then, if it is not just cancelled.
    """
    if draft.step(node.path).stopping:
        return
    facts = {} if problem is None else {"error": dict(problem)}
    draft.emit(EventType.STEP_STOPPING, node.path, **facts)
    # Where the whole instance stops, its decision on undoing holds below it too; otherwise the child has its own.
    undo = None if draft.instance.ending is None else draft.instance.undo
    why = f"{draft.instance.id} that called it stops: {draft.instance.ending}"
    if draft.instance.ending is None:
        ended = "cancelled" if problem is None else problem["code"]
        why = f"the step {node.path} of {draft.instance.id} that called it stops: {ended}"
    _tell(draft, node, NoticeKind.STOP, reason=why, compensate=undo)


def terminate(draft: Draft, node: Node) -> None:
    """End what the step called at once; nothing is awaited."""
    _tell(draft, node, NoticeKind.TERMINATE, reason=f"the instance {draft.instance.id} that called it was terminated")


def undo(draft: Draft, node: Node) -> None:
    """Compensate what the step called; the next undo begins when that has ended."""
    cause = draft.instance.cause or Cause.OPERATOR
    reason = f"undone with the instance {draft.instance.id} that called it"
    _tell(draft, node, NoticeKind.UNDO, cause=cause.value, reason=reason)


def _tell(draft: Draft, node: Node, kind: NoticeKind, **data: Any) -> None:
    facts = {"by": draft.instance.id, **data}
    draft.command(TellChild(child=child_of(draft, node.path), kind=kind, data=facts))
