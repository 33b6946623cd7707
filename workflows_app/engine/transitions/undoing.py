"""Undoing: after everything has drained, completed steps are compensated one after the other, in reverse.

A transition of a state machine that says so does the same with what was done before it; the instance goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows_app.engine import compensation
from workflows_app.engine.commands import Dispatch
from workflows_app.engine.definition.machine import MACHINE
from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.events import EventType
from workflows_app.engine.node import Node
from workflows_app.engine.paths import iteration_of
from workflows_app.engine.states import Cause, InstanceState, Role
from workflows_app.engine.transitions import telling
from workflows_app.engine.transitions.draft import Draft, Look
from workflows_app.engine.transitions.problems import error_of


def begin(draft: Draft) -> bool:
    """Plan the undo and start its first step; ``False`` if there is nothing to undo."""
    order = _planned(draft)
    if order:
        draft.emit(EventType.INSTANCE_COMPENSATING, order=order)
        proceed(draft)
    return bool(order)


def undo_completed(draft: Draft, *, cause: Cause, error: Mapping[str, Any]) -> None:
    """Undo an instance that had completed, as a part of undoing the one that called it; there may be nothing to do."""
    order = _planned(draft)
    draft.emit(EventType.INSTANCE_COMPENSATING, order=order, cause=cause, error=dict(error))
    proceed(draft)


def _planned(draft: Draft) -> list[str]:
    if draft.graph.undoable_inside:
        draft.require_complete()
    draft.require_whole()
    return compensation.plan(draft.graph, draft.steps)


def begin_before(draft: Draft, move: Node) -> bool:
    """Plan the undo of what a state machine did before the transition at hand and start it.

    Returns:
        ``False`` if there is nothing to undo.
    """
    draft.require_complete()
    around = iteration_of(move.path)
    order = [path for path in compensation.plan(draft.graph, draft.steps) if iteration_of(path) != around]
    if order:
        draft.emit(EventType.MACHINE_UNDOING, move.path, order=order)
        proceed(draft)
    return bool(order)


def proceed(draft: Draft) -> None:
    """Start the next undo, or end with the truth about all of them: the instance, or a state machine's transition."""
    if draft.paused:
        return
    goes_on = draft.instance.state is not InstanceState.COMPENSATING
    while draft.instance.undo_next < len(draft.instance.undo_order):
        if goes_on and draft.instance.ending is not None:
            break
        node = draft.graph[draft.instance.undo_order[draft.instance.undo_next]]
        if _start(draft, node):
            return
    if goes_on:
        return draft.look_next(Look.UNDONE, MACHINE)
    kind = EventType.INSTANCE_COMPENSATION_FAILED if draft.instance.undo_failed else EventType.INSTANCE_COMPENSATED
    draft.emit(kind)


def _start(draft: Draft, node: Node) -> bool:
    if node.undone_by_child:
        draft.emit(EventType.STEP_COMPENSATING, node.path, input=None, generation=draft.step(node.path).generation)
        telling.undo(draft, node)
        return True
    step = draft.values_of(node.path)
    generation = step.generation + 1
    # A step that ended by `on_error: {output}` has a substitute for an output; what it really did is unknown.
    output = None if step.error is not None and step.role is not Role.FALLBACK else step.output
    try:
        parameters = draft.evaluate(node.undo_parameters, node, {"output": output, "with": step.input})
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
