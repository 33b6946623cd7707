"""Undoing: after everything has drained, completed steps are compensated one after the other, in reverse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows_app.engine import compensation
from workflows_app.engine.commands import Dispatch
from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.events import EventType
from workflows_app.engine.node import Node
from workflows_app.engine.transitions.slice import Draft, error_of


def begin(draft: Draft) -> bool:
    """Plan the undo and start its first step; ``False`` if there is nothing to undo."""
    draft.require_whole()
    order = compensation.plan(draft.graph, draft.steps)
    if order:
        draft.emit(EventType.INSTANCE_COMPENSATING, order=order)
        proceed(draft)
    return bool(order)


def proceed(draft: Draft) -> None:
    """Start the next undo, or end the instance with the truth about all of them."""
    while draft.instance.undo_next < len(draft.instance.undo_order):
        node = draft.graph[draft.instance.undo_order[draft.instance.undo_next]]
        if _start(draft, node):
            return
    kind = EventType.INSTANCE_COMPENSATION_FAILED if draft.instance.undo_failed else EventType.INSTANCE_COMPENSATED
    draft.emit(kind)


def _start(draft: Draft, node: Node) -> bool:
    step = draft.values_of(node.path)
    generation = step.generation + 1
    # A step that ended by `on_error: {output}` has a substitute for an output; what it really did is unknown.
    output = None if step.error is not None else step.output
    try:
        parameters = draft.evaluate(node.undo_parameters, {"output": output, "with": step.input})
    except OrchestratorError as problem:
        draft.emit(EventType.STEP_COMPENSATING, node.path, input=None, generation=generation)
        draft.emit(EventType.STEP_COMPENSATION_FAILED, node.path, error=error_of(problem))
        return False
    draft.emit(EventType.STEP_COMPENSATING, node.path, input=parameters, generation=generation)
    draft.command(dispatch(node, generation))
    return True


def dispatch(node: Node, generation: int) -> Dispatch:
    return Dispatch(step=node.path, generation=generation, queue=node.undo_queue, timeout=node.undo_timeout)


def succeeded(draft: Draft, node: Node, output: Any) -> None:
    draft.emit(EventType.STEP_COMPENSATED, node.path, attempt_state="succeeded", output=output)
    proceed(draft)


def failed(draft: Draft, node: Node, problem: Mapping[str, Any], **facts: Any) -> None:
    """Record an undo that did not work, with further facts for the event, and go on with the rest."""
    draft.emit(EventType.STEP_COMPENSATION_FAILED, node.path, error=dict(problem), **facts)
    proceed(draft)
