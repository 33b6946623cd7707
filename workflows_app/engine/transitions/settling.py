"""Settling: a step reached its end; its successors are counted down, its block closes, the instance may complete."""

from __future__ import annotations

from typing import Any

from workflows_app.engine.commands import ClearTimers
from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.events import EventType
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.states import StepState
from workflows_app.engine.transitions import entering, stopping, undoing
from workflows_app.engine.transitions.slice import Draft, error, error_of

TIMEOUT_CODES = frozenset({"TIMEOUT", "DEADLINE_EXCEEDED"})


def settle(draft: Draft, kind: EventType, node: Node, **data: Any) -> None:
    """Record the event that settles the node and look at everything that waited for it."""
    _touch_waiters(draft, node)
    timed = draft.step(node.path).state in (StepState.WAITING, StepState.RETRYING) or node.step.deadline is not None
    draft.emit(kind, node.path, **data)
    if timed:
        draft.command(ClearTimers(step=node.path))
    follow(draft, node)


def _touch_waiters(draft: Draft, node: Node) -> None:
    """Look up the rows whose counters the event changes, so that none is missing when it is folded in."""
    for path in (*node.successors, *([node.parent] if node.parent else [])):
        draft.step(path)


def follow(draft: Draft, node: Node) -> None:
    for path in node.successors:
        successor = draft.graph[path]
        draft.todo.append(lambda s=successor: entering.consider(draft, s))  # type: ignore[misc]
    draft.todo.append(lambda: close(draft, node.parent))


def complete(draft: Draft, node: Node, **data: Any) -> None:
    """Settle the node as completed; a branch that wins a race decides its block."""
    settle(draft, EventType.STEP_COMPLETED, node, **data)
    if node.racer and node.parent:
        block = draft.step(node.parent)
        if block.state is StepState.WAITING and not block.stopping:
            outputs = dict.fromkeys(draft.graph[node.parent].children)
            complete(draft, draft.graph[node.parent], output={**outputs, node.path: data.get("output")})


def skip(draft: Draft, node: Node, reason: str, *, follow: bool = True) -> None:
    """Settle the node, and everything inside it, as skipped; skips do not propagate to successors.

    Args:
        follow: whether successors and the block are looked at; not while a whole branch is being skipped.
    """
    if follow:
        settle(draft, EventType.STEP_SKIPPED, node, reason=reason)
    else:
        _touch_waiters(draft, node)
        draft.emit(EventType.STEP_SKIPPED, node.path, reason=reason)
    for inner in draft.graph.descendants(node.path):
        _touch_waiters(draft, inner)
        draft.emit(EventType.STEP_SKIPPED, inner.path, reason="block")


def close(draft: Draft, path: str | None) -> None:
    """Settle a block, or end the instance, once nothing inside is open."""
    if path is None:
        if draft.instance.open_steps == 0:
            _end(draft)
        return
    node, block = draft.graph[path], draft.step(path)
    if block.state is StepState.COMPLETED and block.open_children == 0 and node.race:
        return close(draft, None)
    if block.state is not StepState.WAITING or block.open_children:
        return None
    if block.stopping or draft.instance.ending is not None:
        return _close_stopped(draft, node)
    if node.race:
        problem = error("JOIN_UNREACHABLE", f"no branch of {node.path} completed")
        return stopping.failed(draft, node, problem)
    return complete(draft, node, output=_output(draft, node))


def _close_stopped(draft: Draft, node: Node) -> None:
    problem = draft.step(node.path).error
    if problem is None:
        settle(draft, EventType.STEP_CANCELLED, node)
    else:
        stopping.failed(draft, node, dict(problem))


def _output(draft: Draft, node: Node) -> Any:
    if node.kind is NodeKind.PARALLEL:
        return {path: draft.values_of(path).output for path in node.children}
    if node.kind is NodeKind.BRANCH:
        return draft.values_of(node.children[-1]).output if node.children else None
    taken = next((paths for paths in node.lists if any(_was_taken(draft, p) for p in paths)), ())
    return draft.values_of(taken[-1]).output if taken else None


def _was_taken(draft: Draft, path: str) -> bool:
    return draft.step(path).state is not StepState.SKIPPED


def _end(draft: Draft) -> None:
    """Nothing is open any more: complete, or go where a stopping instance heads for."""
    if draft.instance.state.value != "running":
        return
    if draft.instance.ending is None:
        try:
            output = draft.evaluate(draft.graph.output)
        except OrchestratorError as problem:
            undo = draft.graph.undoes(draft.graph.definition.on_failure)
            stopping.stop(draft, ending="failure", undo=undo, error=error_of(problem))
            return
        _finish(draft, EventType.INSTANCE_COMPLETED, output=output)
    elif draft.instance.ending == "return":
        _finish(draft, EventType.INSTANCE_COMPLETED)
    elif draft.instance.undo:
        undoing.begin(draft)
    else:
        finish_stopped(draft)


def finish_stopped(draft: Draft) -> None:
    """End a stopped instance that has nothing to undo."""
    kind = EventType.INSTANCE_CANCELLED if draft.instance.ending == "cancelled" else EventType.INSTANCE_FAILED
    _finish(draft, kind)


def _finish(draft: Draft, kind: EventType, **data: Any) -> None:
    draft.emit(kind, **data)
    draft.command(ClearTimers(step=""))
