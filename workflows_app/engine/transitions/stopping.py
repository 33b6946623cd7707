"""Stopping: a failure beyond its policy, a cancel, a time-out, an early return: nothing new starts, the rest drains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows_app.engine.commands import ClearTimers, TellToStop, Withdraw
from workflows_app.engine.definition.model import OnError
from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.events import EventType
from workflows_app.engine.node import Node
from workflows_app.engine.states import STEP_OPEN, AttemptState, StepState
from workflows_app.engine.transitions import settling
from workflows_app.engine.transitions.slice import Draft, Look, error_of

TIMEOUT_CODES = frozenset({"TIMEOUT", "DEADLINE_EXCEEDED"})


def failed(draft: Draft, node: Node, problem: Mapping[str, Any], **data: Any) -> None:
    """Settle a step that failed beyond its retries, as its ``on_error`` says.

    Args:
        problem: the error to keep.
        data: further facts for the event, such as how the attempt ended.
    """
    policy = node.on_error
    if draft.stopped(node):
        policy = OnError.FAIL
    if policy is OnError.OUTPUT:
        try:
            output = draft.evaluate(node.error_output, {"error": dict(problem)})
        except OrchestratorError as broken:
            problem, policy = error_of(broken), OnError.FAIL
        else:
            settling.settle(draft, EventType.STEP_COMPLETED, node, output=output, error=dict(problem), **data)
            return
    timed_out = problem["code"] in TIMEOUT_CODES
    kind = EventType.STEP_TIMED_OUT if timed_out else EventType.STEP_FAILED
    tolerated = policy is OnError.CONTINUE or node.racer
    settling.settle(draft, kind, node, error=dict(problem), tolerated=tolerated, **data)
    if not tolerated:
        _fail_scope(draft, node, problem)


def _fail_scope(draft: Draft, node: Node, problem: Mapping[str, Any]) -> None:
    """Stop everything up to the innermost block that catches the failure, or the instance."""
    if draft.instance.ending is not None:
        return
    outermost: Node | None = None
    news = False
    for container in draft.graph.ancestors(node.path):
        outermost = container
        step = draft.step(container.path)
        if step.state is StepState.WAITING and not step.stopping:
            draft.emit(EventType.STEP_STOPPING, container.path, error=dict(problem))
            news = True
        if _catches(container):
            break
    else:
        undo = draft.graph.undoes(draft.graph.definition.on_failure)
        stop(draft, ending="failure", undo=undo, error=dict(problem))
        return
    if news:
        _drain(draft, outermost)


def _catches(container: Node) -> bool:
    return container.racer or container.on_error is not OnError.FAIL


def stop(draft: Draft, *, ending: str, undo: bool, **data: Any) -> None:
    """Stop the whole instance.

    Args:
        ending: ``return``, ``failure``, ``cancelled`` or ``timed_out``.
        undo: whether completed steps are compensated once everything has drained.
        data: ``error``, ``output`` or ``reason`` for the event.
    """
    draft.emit(EventType.INSTANCE_STOPPING, ending=ending, undo=undo, **data)
    draft.command(ClearTimers(step=""))
    _drain(draft, None)


def stop_block(draft: Draft, node: Node, problem: Mapping[str, Any]) -> None:
    """Stop one open block, which then fails with ``problem``."""
    draft.emit(EventType.STEP_STOPPING, node.path, error=dict(problem))
    _drain(draft, node)


def _drain(draft: Draft, scope: Node | None) -> None:
    """Cancel what has not been claimed inside ``scope`` and tell what runs to stop."""
    inside = list(draft.graph.descendants(scope.path if scope else None))
    if scope is None:
        draft.require_whole()
    else:
        draft.need_steps(node.path for node in inside)
    for node in inside:
        step = draft.step(node.path)
        if step.state not in STEP_OPEN:
            continue
        if step.state is StepState.RUNNING:
            draft.command(TellToStop(step=node.path))
        elif step.state is StepState.WAITING and node.is_container:
            if not step.stopping:
                draft.emit(EventType.STEP_STOPPING, node.path)
            draft.look_later(Look.CLOSE, node.path)
        else:
            cancel(draft, node)
    draft.look_later(Look.CLOSE, scope.path if scope else None)


def cancel(draft: Draft, node: Node, **data: Any) -> None:
    """Settle an open step as cancelled; its dispatch and its timers go with it."""
    step = draft.step(node.path)
    if step.state is StepState.SCHEDULED:
        draft.command(Withdraw(step=node.path))
    if step.error is not None:
        data.setdefault("error", dict(step.error))
    settling.settle(draft, EventType.STEP_CANCELLED, node, **data)


def end_overdue(draft: Draft, node: Node, problem: Mapping[str, Any]) -> None:
    """Fail a step whose deadline passed; a running attempt is fenced off, its effect is unknown."""
    step = draft.step(node.path)
    facts: dict[str, Any] = {}
    if step.state is StepState.RUNNING:
        facts = {"attempt_state": AttemptState.TIMED_OUT, "effect_unknown": True}
    elif step.state is StepState.SCHEDULED:
        draft.command(Withdraw(step=node.path))
    failed(draft, node, problem, **facts)


def end_at_once(draft: Draft, problem: Mapping[str, Any]) -> None:
    """Cancel every open step and fence off every attempt; an undo in progress is left undone, and says so."""
    for node in draft.graph.descendants(None):
        step = draft.step(node.path)
        if step.state is StepState.COMPENSATING:
            ended = {} if step.attempt is None else {"attempt_state": AttemptState.CANCELLED}
            draft.command(Withdraw(step=node.path))
            draft.command(ClearTimers(step=node.path))
            draft.emit(EventType.STEP_COMPENSATION_FAILED, node.path, error=dict(problem), **ended)
        elif step.state is StepState.RUNNING:
            cancel(draft, node, attempt_state=AttemptState.CANCELLED, effect_unknown=True)
        elif step.state in STEP_OPEN:
            cancel(draft, node)
    draft.command(ClearTimers(step=""))
