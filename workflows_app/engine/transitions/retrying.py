"""Retrying: an operator lets a failed instance go on; what had completed stays, what failed gets fresh attempts."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from workflows_app.engine import reopening
from workflows_app.engine.commands import SetTimer, TimerKind
from workflows_app.engine.errors import StateForbids
from workflows_app.engine.events import EventType
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.states import InstanceState, StepState
from workflows_app.engine.transitions import entering, outcomes, pausing
from workflows_app.engine.transitions.draft import Draft
from workflows_app.engine.transitions.occurrences import Retry


def retry(draft: Draft, occurrence: Retry) -> None:
    """Take the failure back and go on.

    Raises:
        StateForbids: the instance has not failed, is a state machine, or has told its caller of its end.
    """
    _require_failed(draft)
    draft.require_complete()
    draft.actor = occurrence.actor
    pending, open_ = reopening.plan(draft, occurrence.evidence)
    draft.emit(EventType.INSTANCE_RETRIED, reason=occurrence.reason, pending=pending, open=open_)
    take_up(draft, pending, open_)
    pausing.look_at_everything(draft)


def take_up(draft: Draft, pending: Collection[str], open_: Collection[str]) -> None:
    """Let the times run again, and send what had been handed to the workers before."""
    seconds = draft.graph.definition.timeout
    if seconds is not None:
        due = draft.now + timedelta(seconds=seconds)
        draft.command(SetTimer(step="", kind=TimerKind.INSTANCE, due_at=due))
    for path in open_:
        entering.set_deadline(draft, draft.graph[path])
    begun = [path for path in pending if _had_begun(draft, draft.graph[path], pending)]
    draft.need_values(begun)
    for path in begun:
        node = draft.graph[path]
        # Without an input it has not been handed out since an operator took it back.
        if draft.step(path).input is not None:
            outcomes.send_again(draft, node)
            entering.set_deadline(draft, node)


def _require_failed(draft: Draft) -> None:
    instance = draft.instance
    why = {
        InstanceState.COMPLETED: "it has done what it should",
        InstanceState.CANCELLED: "it was cancelled on request",
        InstanceState.TERMINATED: "it was ended by an operator, and what it left nobody knows",
        InstanceState.COMPENSATED: "what it had done was undone; start a new one",
        InstanceState.COMPENSATION_FAILED: "what it had done was undone in part; see to the undos that failed",
    }
    if instance.state is not InstanceState.FAILED:
        reason = why.get(instance.state, "it has not ended")
        raise StateForbids(f"the instance is {instance.state}; only a failed one can be retried: {reason}")
    if draft.graph.definition.machine is not None:
        raise StateForbids("a state machine whose time is over cannot be retried; start a new one")
    if instance.parent and instance.parent["awaited"]:
        raise StateForbids(f"the instance {instance.parent['instance']} called it and knows its end; retry that one")


def _had_begun(draft: Draft, node: Node, pending: Collection[str]) -> bool:
    """Whether a step was handed to the workers before: it keeps its parameters and its idempotency key."""
    step = draft.step(node.path)
    before = node.kind is NodeKind.ACTIVITY and step.generation > 0 and step.state is StepState.PENDING
    return before and not set(node.needs).intersection(pending)
