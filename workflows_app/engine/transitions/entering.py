"""Entering: a step's dependencies have settled; it is skipped, runs in place, opens, waits, or goes to the workers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from workflows_app.engine import handing, idempotency, values
from workflows_app.engine.commands import ClearTimers, Dispatch, SetTimer, TimerKind
from workflows_app.engine.definition.model import MOST_ITEMS, FailBody, Rest
from workflows_app.engine.durations import parse_duration
from workflows_app.engine.errors import ExpressionError, OrchestratorError
from workflows_app.engine.events import EventType
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.states import StepState
from workflows_app.engine.transitions import (
    adhoc,
    calling,
    losing,
    machines,
    receiving,
    reusing,
    settling,
    stopping,
    tables,
)
from workflows_app.engine.transitions.draft import Draft, Look, holds
from workflows_app.engine.transitions.problems import error, error_of

FARTHEST = timedelta(days=36525)
"""How far ahead a wait may end: about 100 years, as for a duration."""


class TooManyItems(OrchestratorError):
    """A ``foreach`` over more items than it may have."""

    code = "TOO_MANY_ITEMS"


def consider(draft: Draft, node: Node) -> None:
    """Enter the node if it is pending, nothing around it is stopping, and its join is satisfied."""
    step = draft.step(node.path)
    if step.state is not StepState.PENDING or draft.stopped(node):
        return
    if node.parent is not None and not _is_open(node, draft.step(node.parent).state):
        return
    quorum = node.join.quorum
    if quorum is not None and node.needs:
        if step.needs_completed >= quorum:
            return join(draft, node)
        if len(node.needs) - (step.needs_settled - step.needs_completed) < quorum:
            return stopping.failed(draft, node, losing.unreachable(node.needs, quorum))
    elif step.needs_settled == len(node.needs):
        return join(draft, node)
    if node.join.deadline is not None and step.needs_settled and step.due_at is None:
        due = draft.now + timedelta(seconds=node.join.deadline)
        draft.emit(EventType.STEP_JOINING, node.path, due_at=due.isoformat())
        draft.command(SetTimer(step=node.path, kind=TimerKind.JOIN, due_at=due))


def join(draft: Draft, node: Node) -> None:
    """Enter a step whose waiting is over; what it did not wait for may be cancelled."""
    if draft.step(node.path).due_at is not None:
        draft.command(ClearTimers(step=node.path))
    enter(draft, node)
    if node.join.rest is Rest.CANCEL:
        losing.cancel_losers(draft, node)


def overdue(draft: Draft, node: Node) -> None:
    """End the waiting of a join: it goes on with what has settled, unless it needs so many that completed."""
    if node.join.quorum is None:
        join(draft, node)
    else:
        few = f"{draft.step(node.path).needs_completed} of {', '.join(node.needs)} completed in time"
        problem = error("DEADLINE_EXCEEDED", f"{few}, {node.join.quorum} were needed")
        stopping.failed(draft, node, problem)


def _is_open(node: Node, container: StepState) -> bool:
    """Whether the container lets the node in; a race's other branches still run after it is decided."""
    decided = node.racer and container is StepState.COMPLETED
    return decided or container is StepState.WAITING


def enter(draft: Draft, node: Node) -> None:
    """Do what the node's kind does when its turn has come; a bad expression fails the step, never the engine."""
    try:
        if not node.is_part:
            if node.step.disabled:
                return settling.skip(draft, node, "disabled")
            if node.when is not None and not holds(draft.evaluate(node.when, node)):
                return settling.skip(draft, node, "when")
        _KINDS[node.kind](draft, node)
    except OrchestratorError as problem:
        stopping.failed(draft, node, error_of(problem))


def set_deadline(draft: Draft, node: Node) -> None:
    """Let the time run that a step has, if it is limited."""
    limits = [node.step.deadline]
    if node.kind is not NodeKind.ACTIVITY:
        limits.append(node.step.timeout)
    seconds = min((limit for limit in limits if limit is not None), default=None)
    if seconds is not None and not node.is_part:
        due = draft.now + timedelta(seconds=seconds)
        draft.command(SetTimer(step=node.path, kind=TimerKind.DEADLINE, due_at=due))


def _activity(draft: Draft, node: Node) -> None:
    parameters = draft.evaluate(node.value, node)
    again = draft.step(node.path).rerun > 0  # somebody wants it to run, whatever it came to before
    if node.step.cache is not None and not again and reusing.reused(draft, node, parameters):
        return
    send(draft, node, parameters, handing.splice(draft.graph, node))


def send(draft: Draft, node: Node, parameters: Any, splice: handing.Splice | None = None) -> None:
    """Hand an activity to the workers for the first time, or for the first time of another run.

    Args:
        splice: how the parameters were put together; ``None`` where an operator gave them, or nothing is known of it.
    """
    key = {} if node.idempotency_key is None else {"idempotency_key": _key(draft, node, parameters)}
    generation = draft.step(node.path).generation + 1
    given = handing.scheduled(splice, parameters)
    draft.emit(EventType.STEP_SCHEDULED, node.path, generation=generation, queue=node.queue, **given, **key)
    draft.command(Dispatch(step=node.path, generation=generation, queue=node.queue, timeout=node.timeout))
    set_deadline(draft, node)


def _key(draft: Draft, node: Node, parameters: Any) -> str:
    """Evaluate the step's own idempotency key, once: all attempts, its fallback and its undo use what is stored."""
    assert node.idempotency_key is not None
    given = {"with": {} if parameters is None else parameters}
    key = idempotency.checked(draft.evaluate(node.idempotency_key, node, given))
    return idempotency.rerun(key, draft.step(node.path).rerun)


def _set(draft: Draft, node: Node) -> None:
    assigned = draft.evaluate(node.value, node)
    together = {**draft.instance.variables, **assigned}
    values.encode(together, limit_bytes=draft.before.limit_bytes, what="the instance's variables")
    settling.complete(draft, node, output=assigned, variables=assigned)


def _choice(draft: Draft, node: Node) -> None:
    taken = next((i for i, case in enumerate(node.cases) if case is None or holds(draft.evaluate(case, node))), None)
    draft.emit(EventType.STEP_WAITING, node.path, case=taken)
    set_deadline(draft, node)
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
    set_deadline(draft, node)
    for path in node.children:
        child = draft.graph[path]
        if not child.needs:
            draft.look_later(Look.ENTER, path)


def _foreach(draft: Draft, node: Node) -> None:
    items = draft.evaluate(node.value, node)
    if not isinstance(items, list):
        raise ExpressionError(f"foreach.items is no list: {items!r}"[:200])
    if len(items) > MOST_ITEMS:
        raise TooManyItems(f"foreach.items has {len(items):,} items, more than {MOST_ITEMS:,}")
    planned = -(-len(items) // (node.foreach.batch_size or 1))
    draft.emit(EventType.STEP_WAITING, node.path, input={"items": items}, planned=planned)
    set_deadline(draft, node)
    draft.look_later(Look.REPEAT, node.path)


def _loop(draft: Draft, node: Node) -> None:
    times = draft.evaluate(node.value, node)
    if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 0):
        raise ExpressionError(f"loop.times is no number of iterations: {times!r}"[:200])
    draft.emit(EventType.STEP_WAITING, node.path, planned=times)
    set_deadline(draft, node)
    draft.look_later(Look.REPEAT, node.path)


def _adhoc(draft: Draft, node: Node) -> None:
    adhoc.open_(draft, node)
    set_deadline(draft, node)


def _wait(draft: Draft, node: Node) -> None:
    due = _due(draft, node)
    draft.emit(EventType.STEP_WAITING, node.path, due_at=due.isoformat())
    draft.command(SetTimer(step=node.path, kind=TimerKind.WAIT, due_at=due))
    set_deadline(draft, node)


def _due(draft: Draft, node: Node) -> datetime:
    value = draft.evaluate(node.value, node)
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


def _receive(draft: Draft, node: Node) -> None:
    receiving.wait(draft, node)
    set_deadline(draft, node)


def _call(draft: Draft, node: Node) -> None:
    if calling.begin(draft, node):
        set_deadline(draft, node)


def _return(draft: Draft, node: Node) -> None:
    output = draft.evaluate(node.value, node)
    settling.complete(draft, node, output=output)
    stopping.stop(draft, ending="return", undo=False, output=output)


def _fail(draft: Draft, node: Node) -> None:
    body = node.step.body
    assert isinstance(body, FailBody)
    stopping.failed(draft, node, error(body.code, draft.evaluate(node.value, node)))


_KINDS = {
    NodeKind.ACTIVITY: _activity,
    NodeKind.SET: _set,
    NodeKind.CHOICE: _choice,
    NodeKind.PARALLEL: _open,
    NodeKind.BRANCH: _open,
    NodeKind.FOREACH: _foreach,
    NodeKind.LOOP: _loop,
    NodeKind.ADHOC: _adhoc,
    NodeKind.WAIT: _wait,
    NodeKind.RECEIVE: _receive,
    NodeKind.EMIT: receiving.emit,
    NodeKind.CALL: _call,
    NodeKind.DECIDE: tables.decide,
    NodeKind.RETURN: _return,
    NodeKind.FAIL: _fail,
    NodeKind.MACHINE: machines.open_,
    NodeKind.MOVE: machines.move,
}
