"""Receiving: a step waits for an event, takes it or passes it over, or has waited too long; another publishes one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from workflows_app.engine import callbacks
from workflows_app.engine.commands import Publish, SetTimer, Subscribe, TimerKind
from workflows_app.engine.definition.model import EmitBody, ReceiveBody
from workflows_app.engine.errors import ExpressionError, OrchestratorError
from workflows_app.engine.events import EventType
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.states import StepState
from workflows_app.engine.transitions import settling, stopping
from workflows_app.engine.transitions.draft import Draft, holds
from workflows_app.engine.transitions.occurrences import EventArrived
from workflows_app.engine.transitions.problems import error, error_of
from workflows_app.engine.transitions.slice import StaleOccurrence

KEY_LENGTH = 200


def wait(draft: Draft, node: Node) -> None:
    """Begin to wait: for an event that is kept already, or for one to come.

    Raises:
        OrchestratorError: the key cannot be evaluated.
    """
    body = node.step.body
    assert isinstance(body, ReceiveBody)
    if body.callback is not None:
        key = callbacks.key_of(draft.instance.id, node.path, draft.step(node.path).rerun)
    else:
        key = _key(draft, draft.evaluate(node.value, node)["correlate"])
    facts = {"event": body.event, "correlate": key}
    if body.timeout is None:
        draft.emit(EventType.STEP_WAITING, node.path, **facts)
    else:
        due = draft.now + timedelta(seconds=body.timeout)
        draft.emit(EventType.STEP_WAITING, node.path, **facts, due_at=due.isoformat())
        draft.command(SetTimer(step=node.path, kind=TimerKind.WAIT, due_at=due))
    draft.command(Subscribe(step=node.path, event=facts["event"], key=facts["correlate"]))


def arrived(draft: Draft, occurrence: EventArrived) -> None:
    """Take the event that a step waits for, or pass it over: then nothing happens at all.

    Raises:
        StaleOccurrence: the step does not wait any more.
    """
    node, step = draft.graph[occurrence.step], draft.step(occurrence.step)
    if node.kind is not NodeKind.RECEIVE or step.state is not StepState.WAITING:
        raise StaleOccurrence(f"{occurrence.step} is {step.state}: it waits for no event")
    event = dict(occurrence.event)
    try:
        taken = node.where is None or holds(draft.evaluate(node.where, node, {"event": event}))
    except OrchestratorError as problem:
        stopping.failed(draft, node, error_of(problem))
    else:
        if taken:
            settling.complete(draft, node, output=event)


def overdue(draft: Draft, node: Node) -> None:
    """End the waiting of a step that no event came for in time."""
    body = node.step.body
    assert isinstance(body, ReceiveBody)
    what = f"no event {body.event}" if body.callback is None else "no answer"
    message = f"{what} came within {body.timeout:g} s"
    stopping.failed(draft, node, error("TIMEOUT", message))


def emit(draft: Draft, node: Node) -> None:
    """Publish an event with the decision at hand.

    Raises:
        OrchestratorError: the data or the key cannot be evaluated.
    """
    body = node.step.body
    assert isinstance(body, EmitBody)
    written = draft.evaluate(node.value, node)
    key, data = _key(draft, written["correlate"]), written["data"]
    draft.command(Publish(step=node.path, event=body.event, key=key, data=data))
    settling.complete(draft, node, output=None, published={"type": body.event, "correlate": key, "data": data})


def _key(draft: Draft, value: Any) -> str:
    """Return the key to correlate by: what is written, as text, or the correlation id where nothing is."""
    if value is None:
        return draft.instance.correlation_id
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not (0 < len(value) <= KEY_LENGTH and value.isprintable()):
        what = f"correlate must come to 1 to {KEY_LENGTH} printable characters or a whole number, not {value!r}"
        raise ExpressionError(what[:200])
    return value
