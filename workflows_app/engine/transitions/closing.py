"""Closing: nothing inside a block, or inside the instance, is open any more; it ends as what happened in it says."""

from __future__ import annotations

from typing import Any

from workflows_app.engine.commands import ClearTimers
from workflows_app.engine.definition.model import ForeachBody
from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.events import EventType
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.paths import split
from workflows_app.engine.states import STEP_OPEN, InstanceState, StepState
from workflows_app.engine.transitions import losing, queueing, settling, stopping, undoing
from workflows_app.engine.transitions.draft import Draft, Look
from workflows_app.engine.transitions.problems import error, error_of


def close(draft: Draft, path: str | None) -> None:
    """Settle a block, or end the instance, once nothing inside is open."""
    if path is None:
        if draft.instance.open_steps == 0:
            _end(draft)
        return
    node, block = draft.graph[path], draft.step(path)
    if block.state is StepState.COMPLETED and block.open_children == 0 and node.race:
        return close(draft, None)
    if block.state is not StepState.WAITING:
        return None
    if node.is_repeat and not block.stopping and draft.instance.ending is None:
        return draft.look_next(Look.REPEAT, path)
    if block.open_children:
        return _give_up(draft, node) if node.race and not draft.stopped(node) and not block.stopping else None
    if block.stopping or draft.instance.ending is not None:
        return _close_stopped(draft, node)
    if node.race:
        return stopping.failed(draft, node, losing.unreachable(node.children, node.branch_join.quorum or 1))
    try:
        output = _output(draft, node)
    except OrchestratorError as problem:
        return stopping.failed(draft, node, error_of(problem))
    return settling.complete(draft, node, output=output)


def _give_up(draft: Draft, race: Node) -> None:
    """Stop a race in which too many branches have ended otherwise for enough of them to complete."""
    quorum = race.branch_join.quorum or 1
    if quorum > 1:
        draft.need_steps(race.children)
        able = [p for p in race.children if draft.step(p).state in (*STEP_OPEN, StepState.COMPLETED)]
        if len(able) < quorum:
            stopping.stop_block(draft, race, losing.unreachable(race.children, quorum))


def _close_stopped(draft: Draft, node: Node) -> None:
    problem = draft.step(node.path).error
    if node.kind is NodeKind.MACHINE:
        queueing.refuse_all(draft, error("CANCELLED", "the instance ended before the event's turn came"))
    if problem is None:
        settling.settle(draft, EventType.STEP_CANCELLED, node)
    else:
        stopping.failed(draft, node, dict(problem))


def _output(draft: Draft, node: Node) -> Any:
    if node.kind is NodeKind.PARALLEL:
        draft.need_values(node.children)
        return {split(path)[1]: draft.values_of(path).output for path in node.children}
    if node.transition is not None:
        return None
    if node.kind is NodeKind.ITERATION and isinstance(node.step.body, ForeachBody) and node.foreach.collect is not None:
        return draft.evaluate(node.value, node)
    if node.is_part:
        return draft.values_of(node.children[-1]).output if node.children else None
    draft.need_steps(node.children)
    taken = next((paths for paths in node.lists if any(_was_taken(draft, p) for p in paths)), ())
    return draft.values_of(taken[-1]).output if taken else None


def _was_taken(draft: Draft, path: str) -> bool:
    return draft.step(path).state is not StepState.SKIPPED


def _end(draft: Draft) -> None:
    """Nothing is open any more: complete, or go where a stopping instance heads for."""
    if draft.instance.state is not InstanceState.RUNNING:
        return
    if draft.instance.ending is None:
        try:
            output = draft.evaluate(draft.graph.output, None)
        except OrchestratorError as problem:
            undo = draft.graph.undoes(draft.graph.definition.on_failure)
            stopping.stop(draft, ending="failure", undo=undo, error=error_of(problem))
            return
        _complete(draft, output=output)
    elif draft.instance.ending == "return":
        _complete(draft)
    elif not (draft.instance.undo and undoing.begin(draft)):
        stopping.end(draft)


def _complete(draft: Draft, **data: Any) -> None:
    draft.emit(EventType.INSTANCE_COMPLETED, **data)
    draft.command(ClearTimers(step=""))
