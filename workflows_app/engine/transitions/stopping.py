"""Stopping: a failure beyond its policy, a cancel, a time-out, an early return: nothing new starts, the rest drains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows_app.engine.commands import ClearTimers, Dispatch, TellToStop, Withdraw
from workflows_app.engine.definition.reactions import OnError
from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.events import EventType
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.states import STEP_OPEN, AttemptState, StepState
from workflows_app.engine.transitions import holding, reacting, settling, telling
from workflows_app.engine.transitions.draft import Draft, Look
from workflows_app.engine.transitions.problems import error_of

TIMEOUT_CODES = frozenset({"TIMEOUT", "DEADLINE_EXCEEDED"})


def failed(draft: Draft, node: Node, problem: Mapping[str, Any], **data: Any) -> None:
    """Settle a step that failed beyond its retries, as its ``on_error`` says.

    A block whose ``on_error`` may catch a failure inside it was stopped first; what it catches is asked here.

    Args:
        problem: the error to keep.
        data: further facts for the event, such as how the attempt ended.
    """
    chosen = reacting.choose(draft, node, problem, ended=data.get("attempt_state"))
    data |= chosen.facts
    policy = chosen.kind
    if policy is OnError.FALLBACK:
        try:
            _fall_back(draft, node, problem, chosen.case, **data)
        except OrchestratorError as broken:
            problem, policy = error_of(broken), OnError.FAIL
        else:
            return
    if policy is OnError.OUTPUT:
        try:
            output = draft.evaluate(node.error_outputs[chosen.case], node, {"error": dict(problem)})
        except OrchestratorError as broken:
            problem, policy = error_of(broken), OnError.FAIL
        else:
            settling.settle(draft, EventType.STEP_COMPLETED, node, output=output, error=dict(problem), **data)
            return
    timed_out = problem["code"] in TIMEOUT_CODES
    kind = EventType.STEP_TIMED_OUT if timed_out else EventType.STEP_FAILED
    tolerated = policy in (OnError.CONTINUE, OnError.GOTO) or node.racer or _lost(draft, node) or _forgiven(draft, node)
    if draft.paused and not tolerated:
        data["held"] = True
    settling.settle(draft, kind, node, error=dict(problem), tolerated=tolerated, **data)
    if policy is OnError.GOTO:
        _skip_to(draft, node, draft.graph.named(chosen.reaction.goto or "", node.path))
    if not tolerated and not draft.paused:
        fail_scope(draft, node, problem)


def _fall_back(draft: Draft, node: Node, problem: Mapping[str, Any], case: int | None, **data: Any) -> None:
    """Let the fallback's activity stand in for the step's own: one attempt, within the step's deadline."""
    step = draft.step(node.path)
    parameters = draft.evaluate(node.fallback_parameters[case], node, {"error": dict(problem)})
    generation = step.generation + 1
    if step.state is StepState.RETRYING:
        draft.command(ClearTimers(step=node.path))
    facts = {"generation": generation, "queue": node.queue, "input": parameters, "error": dict(problem), **data}
    draft.emit(EventType.STEP_FALLING_BACK, node.path, **facts)
    draft.command(Dispatch(step=node.path, generation=generation, queue=node.queue, timeout=node.timeout))


def _lost(draft: Draft, node: Node) -> bool:
    """Whether a node is being cancelled because nothing waits for it any more: how it ends harms nobody."""
    step = draft.step(node.path)
    return step.stopping and (step.error is None or not (node.is_container or node.awaits_child))


def _forgiven(draft: Draft, node: Node) -> bool:
    """Whether all that wait for the node forgive so many failures: its successors, or the block of a branch."""
    if draft.stopped(node):
        return False
    if node.kind is NodeKind.ITERATION and node.parent:
        return draft.step(node.parent).failures < node.branch_join.tolerate
    if node.kind is NodeKind.BRANCH and node.parent:
        return _forgives(draft, node, node.branch_join.tolerate, draft.graph[node.parent].children)
    waiting = [draft.graph[path] for path in node.successors]
    return bool(waiting) and all(_forgives(draft, node, each.join.tolerate, each.needs) for each in waiting)


def _forgives(draft: Draft, node: Node, tolerate: int, among: tuple[str, ...]) -> bool:
    if not tolerate:
        return False
    draft.need_steps(among)
    others = (draft.step(path).state for path in among if path != node.path)
    return sum(state in (StepState.FAILED, StepState.TIMED_OUT) for state in others) < tolerate


def _skip_to(draft: Draft, node: Node, target: str) -> None:
    """Skip what is written between a failed step and the one that it goes to, as far as it waits for the step."""
    siblings = draft.graph.siblings(node.path)
    between = siblings[siblings.index(node.path) + 1 : siblings.index(target)]
    draft.need_steps(between)
    after = {node.path}
    for path in between:
        inner = draft.graph[path]
        if not after.isdisjoint(inner.needs):
            after.add(path)
            if draft.step(path).state is StepState.PENDING:
                settling.skip(draft, inner, "goto")


def fail_scope(draft: Draft, node: Node, problem: Mapping[str, Any]) -> None:
    """Stop everything up to the innermost block that catches the failure, or the instance."""
    if draft.instance.ending is not None:
        return
    outermost: Node | None = None
    news = False
    for container in draft.graph.ancestors(node.path):
        if _lost(draft, container):
            return
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
        drain(draft, outermost)


def _catches(container: Node) -> bool:
    return container.contained or container.catches


def stop(draft: Draft, *, ending: str, undo: bool, **data: Any) -> None:
    """Stop the whole instance; that ends a pause.

    Args:
        ending: ``return``, ``failure``, ``cancelled`` or ``timed_out``.
        undo: whether completed steps are compensated once everything has drained.
        data: ``error``, ``output`` or ``reason`` for the event.
    """
    held = draft.instance.held if draft.paused else None
    draft.emit(EventType.INSTANCE_STOPPING, ending=ending, undo=undo, **data)
    draft.command(ClearTimers(step=""))
    if held is not None:
        holding.let_go(draft, held)
    drain(draft, None)


def end(draft: Draft) -> None:
    """End a stopped instance in which everything has drained and nothing was undone."""
    cancelled = draft.instance.ending == "cancelled"
    draft.emit(EventType.INSTANCE_CANCELLED if cancelled else EventType.INSTANCE_FAILED)
    draft.command(ClearTimers(step=""))


def stop_block(draft: Draft, node: Node, problem: Mapping[str, Any]) -> None:
    """Stop one open block, which then fails with ``problem``."""
    draft.emit(EventType.STEP_STOPPING, node.path, error=dict(problem))
    drain(draft, node)


def drain(draft: Draft, scope: Node | None) -> None:
    """Cancel what has not been claimed inside ``scope`` and tell what runs to stop."""
    if scope is None:
        draft.require_whole()
    inside = list(draft.inside(scope.path if scope else None))
    draft.need_steps(node.path for node in inside)
    for node in inside:
        step = draft.step(node.path)
        if step.state not in STEP_OPEN:
            continue
        if step.state is StepState.RUNNING:
            draft.command(TellToStop(step=node.path))
        elif step.state is StepState.WAITING and node.kind is NodeKind.MOVE:
            continue  # an undo in progress is awaited; the move ends with it
        elif step.state is StepState.WAITING and node.is_container:
            if not step.stopping:
                draft.emit(EventType.STEP_STOPPING, node.path)
            draft.look_later(Look.CLOSE, node.path)
        elif telling.is_waited_for(node, step):
            telling.stop(draft, node)
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


def end_at_once(draft: Draft) -> None:
    """Cancel every open step and fence off every attempt."""
    for node in draft.inside(None):
        step = draft.step(node.path)
        if telling.is_waited_for(node, step):
            telling.terminate(draft, node)
        if step.state is StepState.RUNNING:
            cancel(draft, node, attempt_state=AttemptState.CANCELLED, effect_unknown=True)
        elif step.state in STEP_OPEN:
            cancel(draft, node)
    draft.command(ClearTimers(step=""))
