"""Entering: a step's dependencies have settled; it is skipped, runs in place, opens, waits, or goes to the workers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from workflows_app.engine import values
from workflows_app.engine.commands import Dispatch, SetTimer, TimerKind
from workflows_app.engine.definition.model import FailBody, Join
from workflows_app.engine.durations import parse_duration
from workflows_app.engine.errors import ExpressionError, OrchestratorError
from workflows_app.engine.events import EventType
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.states import StepState
from workflows_app.engine.transitions import settling, stopping
from workflows_app.engine.transitions.slice import Draft, Look, error, error_of

FARTHEST = timedelta(days=36525)
"""How far ahead a wait may end: about 100 years, as for a duration."""


def consider(draft: Draft, node: Node) -> None:
    """Enter the node if it is pending, nothing around it is stopping, and its join is satisfied."""
    step = draft.step(node.path)
    if step.state is not StepState.PENDING or draft.stopped(node):
        return
    if node.parent is not None and not _is_open(node, draft.step(node.parent).state):
        return
    if node.join is Join.ANY and node.needs:
        if step.needs_completed:
            enter(draft, node)
        elif step.needs_settled == len(node.needs):
            problem = error("JOIN_UNREACHABLE", f"none of {', '.join(node.needs)} completed")
            stopping.failed(draft, node, problem)
    elif step.needs_settled == len(node.needs):
        enter(draft, node)


def _is_open(node: Node, container: StepState) -> bool:
    """Whether the container lets the node in; a race's other branches still run after it is decided."""
    decided = node.racer and container is StepState.COMPLETED
    return decided or container is StepState.WAITING


def enter(draft: Draft, node: Node) -> None:
    """Do what the node's kind does when its turn has come; a bad expression fails the step, never the engine."""
    try:
        if node.kind is not NodeKind.BRANCH:
            if node.step.disabled:
                return settling.skip(draft, node, "disabled")
            if node.when is not None and not _true(draft.evaluate(node.when)):
                return settling.skip(draft, node, "when")
        _KINDS[node.kind](draft, node)
    except OrchestratorError as problem:
        stopping.failed(draft, node, error_of(problem))


def _true(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ExpressionError(f"a condition must be true or false, not {value!r}"[:200])
    return value


def _set_deadline(draft: Draft, node: Node) -> None:
    limits = [node.step.deadline]
    if node.kind is not NodeKind.ACTIVITY:
        limits.append(node.step.timeout)
    seconds = min((limit for limit in limits if limit is not None), default=None)
    if seconds is not None and node.kind is not NodeKind.BRANCH:
        due = draft.now + timedelta(seconds=seconds)
        draft.command(SetTimer(step=node.path, kind=TimerKind.DEADLINE, due_at=due))


def _activity(draft: Draft, node: Node) -> None:
    parameters = draft.evaluate(node.value)
    generation = draft.step(node.path).generation + 1
    draft.emit(EventType.STEP_SCHEDULED, node.path, generation=generation, queue=node.queue, input=parameters)
    draft.command(Dispatch(step=node.path, generation=generation, queue=node.queue, timeout=node.timeout))
    _set_deadline(draft, node)


def _set(draft: Draft, node: Node) -> None:
    assigned = draft.evaluate(node.value)
    together = {**draft.instance.variables, **assigned}
    values.encode(together, limit_bytes=draft.before.limit_bytes, what="the instance's variables")
    settling.complete(draft, node, output=assigned, variables=assigned)


def _choice(draft: Draft, node: Node) -> None:
    taken = next((i for i, case in enumerate(node.cases) if case is None or _true(draft.evaluate(case))), None)
    draft.emit(EventType.STEP_WAITING, node.path, case=taken)
    _set_deadline(draft, node)
    for index, children in enumerate(node.lists):
        for path in children:
            child = draft.graph[path]
            if index != taken:
                settling.skip(draft, child, "choice", follow=False)
            elif not child.needs:
                draft.look_later(Look.ENTER, path)
    draft.look_later(Look.CLOSE, node.path)


def _open(draft: Draft, node: Node) -> None:
    # All at once: a wide block beyond what was predicted would otherwise be asked for branch by branch.
    inside = [path for branch in node.children for path in draft.graph[branch].children]
    draft.need_steps([*node.children, *(path for path in inside if not draft.graph[path].needs)])
    draft.emit(EventType.STEP_WAITING, node.path)
    _set_deadline(draft, node)
    for path in node.children:
        child = draft.graph[path]
        if not child.needs:
            draft.look_later(Look.ENTER, path)


def _wait(draft: Draft, node: Node) -> None:
    due = _due(draft, node)
    draft.emit(EventType.STEP_WAITING, node.path, due_at=due.isoformat())
    draft.command(SetTimer(step=node.path, kind=TimerKind.WAIT, due_at=due))
    _set_deadline(draft, node)


def _due(draft: Draft, node: Node) -> datetime:
    value = draft.evaluate(node.value)
    body = node.step.body
    if getattr(body, "until", None) is None:
        try:
            return draft.now + timedelta(seconds=parse_duration(value))
        except (ValueError, TypeError, OverflowError, OrchestratorError) as problem:
            raise ExpressionError(f"wait.for is no duration: {value!r}"[:200]) from problem
    try:
        due = datetime.fromisoformat(value)
    except (ValueError, TypeError) as problem:
        raise ExpressionError(f"wait.until is no RFC 3339 time: {value!r}"[:200]) from problem
    if due.tzinfo is None:
        raise ExpressionError(f"wait.until has no time zone: {value!r}"[:200])
    try:
        due = due.astimezone(UTC)
    except OverflowError as problem:
        raise ExpressionError(f"wait.until is out of range: {value!r}"[:200]) from problem
    if due > draft.now + FARTHEST:
        raise ExpressionError(f"wait.until is more than 100 years ahead: {value!r}"[:200])
    return max(due, draft.now)


def _return(draft: Draft, node: Node) -> None:
    output = draft.evaluate(node.value)
    settling.complete(draft, node, output=output)
    stopping.stop(draft, ending="return", undo=False, output=output)


def _fail(draft: Draft, node: Node) -> None:
    body = node.step.body
    assert isinstance(body, FailBody)
    stopping.failed(draft, node, error(body.code, draft.evaluate(node.value)))


_KINDS = {
    NodeKind.ACTIVITY: _activity,
    NodeKind.SET: _set,
    NodeKind.CHOICE: _choice,
    NodeKind.PARALLEL: _open,
    NodeKind.BRANCH: _open,
    NodeKind.WAIT: _wait,
    NodeKind.RETURN: _return,
    NodeKind.FAIL: _fail,
}
