"""Machines: an event sets off a transition, its actions run, the machine moves, the next event has its turn.

One event at a time. While a transition is under way events are accepted and wait; at its turn one that finds no
transition any more is refused, which is recorded. An idle machine refuses such an event at once; nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from workflows_app.engine import values
from workflows_app.engine.commands import ClearTimers, SetTimer, TimerKind
from workflows_app.engine.definition.machine import MACHINE, MOVE, Machine
from workflows_app.engine.errors import Conflict, OrchestratorError, Refused, StateForbids
from workflows_app.engine.events import EventType
from workflows_app.engine.graph import Graph
from workflows_app.engine.node import Node
from workflows_app.engine.paths import ITERATION
from workflows_app.engine.states import InstanceState, StepState
from workflows_app.engine.transitions import queueing, settling, stopping, undoing
from workflows_app.engine.transitions.draft import Draft, Look, holds
from workflows_app.engine.transitions.occurrences import EventReceived
from workflows_app.engine.transitions.problems import error, error_of

NAMED = 10
"""Of more events that are possible, so many are named in a refusal."""


class NoTransition(Refused):
    """An event that the machine has no transition for in its state."""

    code = "INVALID_TRANSITION"


class ConditionNotMet(Refused):
    """An event whose transitions all have conditions that do not hold."""

    code = "CONDITION_NOT_MET"


def of(graph: Graph) -> Machine:
    """Return the machine that a graph was made of.

    Raises:
        StateForbids: it was made of a flow.
    """
    if graph.definition.machine is None:
        raise StateForbids(f"{graph.definition.name} is a flow, no state machine", code="NOT_A_MACHINE")
    return graph.definition.machine


# ---------------------------------------------------------------- states
def open_(draft: Draft, node: Node) -> None:
    """Begin in the initial state."""
    draft.emit(EventType.STEP_WAITING, node.path)
    _go_to(draft, node.path, of(draft.graph).initial, by="start")
    draft.look_later(Look.REPEAT, node.path)


def _go_to(draft: Draft, path: str, target: str, *, by: str, **data: Any) -> None:
    """Change the state; the timer of the one before goes, that of the new one is set.

    Args:
        path: the step that does it, or the machine itself.
        by: ``start``, ``event`` or ``timeout``.
    """
    seconds = of(draft.graph).states[target].timeout
    due = None if seconds is None else draft.now + timedelta(seconds=seconds)
    facts = {"from": draft.instance.machine_state, "to": target, "by": by, **data}
    draft.step(MACHINE)
    draft.emit(EventType.MACHINE_MOVED, path, **facts, due_at=due.isoformat() if due else None)
    draft.command(ClearTimers(step=MACHINE))
    if due is not None:
        draft.command(SetTimer(step=MACHINE, kind=TimerKind.STATE, due_at=due))


def timed_out(draft: Draft, node: Node) -> None:
    """Leave the state, or wait for the transition under way (if it moves the machine, the time-out means nothing) or
    for the end of a pause."""
    instance = draft.instance
    since = instance.machine_since.isoformat() if instance.machine_since else None
    if instance.machine_transition is not None or instance.machine_queue or draft.paused:
        event = {"type": "timeout", "at": draft.now.isoformat(), "state": instance.machine_state, "since": since}
        draft.emit(EventType.MACHINE_EVENT_ACCEPTED, MACHINE, event={**event, "timeout": True})
    else:
        _leave(draft, node)
        draft.look_later(Look.REPEAT, node.path)


def _leave(draft: Draft, node: Node, **data: Any) -> None:
    state = of(draft.graph).states[draft.instance.machine_state or ""]
    assert state.on_timeout is not None
    _go_to(draft, node.path, state.on_timeout, by="timeout", **data)


# ---------------------------------------------------------------- events
def received(draft: Draft, occurrence: EventReceived) -> None:
    """Take an event, or refuse it.

    Raises:
        StateForbids: the instance takes no events.
        Conflict: CONCURRENCY_CONFLICT, something has happened since the version that the sender expects; QUEUE_FULL.
        NoTransition, ConditionNotMet: the machine is idle, and the event leads nowhere.
        OrchestratorError: the machine is idle, and a condition cannot be evaluated.
    """
    machine, instance = of(draft.graph), draft.instance
    if not (instance.state is InstanceState.RUNNING or draft.paused) or instance.ending is not None:
        how = "ending" if instance.state is InstanceState.RUNNING else instance.state
        raise StateForbids(f"the instance is {how}: it takes no events any more")
    expected, actual = occurrence.expected, instance.sequence
    if expected is not None and expected != actual:
        raise Conflict(
            f"version {expected} was expected, but the instance is at version {actual}: something has happened since",
            code="CONCURRENCY_CONFLICT",
            details={"expected": expected, "actual": actual},
        )
    if all(each.event != occurrence.event for each in machine.transitions):
        raise NoTransition(f"no transition of {draft.graph.definition.name} is set off by {occurrence.event!r}")
    event = {"type": occurrence.event, "data": occurrence.data, "at": draft.now.isoformat()}
    node = draft.graph[MACHINE]
    draft.step(MACHINE)
    idle = instance.machine_transition is None and not instance.machine_queue and not draft.paused
    name = _set_off(draft, node, event) if idle else None
    draft.actor = occurrence.actor
    queueing.accept(draft, event)
    draft.actor = "engine"
    if name is not None:
        _begin(draft, node, name, event)


def _set_off(draft: Draft, node: Node, event: Mapping[str, Any]) -> str:
    """Return the id of the transition that an event sets off: the first that starts here and whose condition holds."""
    state = draft.instance.machine_state or ""
    leaving = of(draft.graph).leaving(state)
    found = [each for each in leaving if each.event == event["type"]]
    for each in found:
        condition = draft.graph.written[f"{each.id}{ITERATION}"].admits
        if condition is None or holds(draft.evaluate(condition, node, {"event": event})):
            return each.id
    if found:
        conditions = " | ".join(each.when or "" for each in found)
        raise ConditionNotMet(f"{event['type']!r} in {state!r} needs what does not hold: {conditions}"[:500])
    possible = list(dict.fromkeys(each.event for each in leaving))
    names = ", ".join(possible[:NAMED]) + (" …" if len(possible) > NAMED else "")
    what = f"possible are {names}" if possible else "nothing is possible there"
    message = f"the machine is in {state!r}, from where {event['type']!r} leads nowhere; {what}"
    raise NoTransition(message, details={"state": state, "possible": possible})


def _begin(draft: Draft, node: Node, name: str, event: Mapping[str, Any]) -> None:
    path = f"{name}[{draft.step(node.path).opened}]"
    draft.begun.add(path)
    draft.emit(EventType.STEP_WAITING, path, input={"item": dict(event)})
    for inner in draft.graph[path].children:
        if not draft.graph[inner].needs:
            draft.look_later(Look.ENTER, inner)


def go_on(draft: Draft, node: Node) -> None:
    """Give the next event its turn; in a terminal state there is none any more."""
    block = draft.step(node.path)
    if block.state is not StepState.WAITING or block.stopping or draft.instance.ending is not None:
        return
    if draft.instance.machine_transition is not None:
        return
    while not _is_over(draft) and draft.instance.machine_queue:
        event = draft.instance.machine_queue[0]
        if event.get("timeout"):
            _late(draft, node, event)
            continue
        try:
            name = _set_off(draft, node, event)
        except OrchestratorError as refusal:
            queueing.refuse(draft, error_of(refusal))
        else:
            return _begin(draft, node, name, event)
    if _is_over(draft):
        state = draft.instance.machine_state
        queueing.refuse_all(draft, error("INVALID_TRANSITION", f"the machine has ended in {state!r}"))
        settling.complete(draft, node, output=state)


def _is_over(draft: Draft) -> bool:
    return of(draft.graph).states[draft.instance.machine_state or ""].terminal


def _late(draft: Draft, node: Node, event: Mapping[str, Any]) -> None:
    """Decide a time-out that had to wait: it is about one stay in a state."""
    since = draft.instance.machine_since
    if since is not None and (event["state"], event["since"]) == (draft.instance.machine_state, since.isoformat()):
        _leave(draft, node, queued=True)
    else:
        message = f"the machine had left {event['state']!r} before the time-out's turn came"
        queueing.refuse(draft, error("STATE_LEFT", message))


# ---------------------------------------------------------------- moves
def move(draft: Draft, node: Node) -> None:
    """Change the state as a transition says, once what it undoes has been undone."""
    assert node.transition is not None
    if not (node.transition.compensate and undoing.begin_before(draft, node)):
        _move(draft, node)


def _move(draft: Draft, node: Node) -> None:
    assert node.transition is not None
    assigned = draft.evaluate(node.value, node)
    together = {**draft.instance.variables, **assigned}
    values.encode(together, limit_bytes=draft.before.limit_bytes, what="the instance's variables")
    before, target = draft.instance.machine_state, node.transition.target
    _go_to(draft, node.path, target, by="event", event=node.transition.event)
    settling.complete(draft, node, output={"from": before, "to": target}, variables=assigned)


def undone(draft: Draft) -> None:
    """Move after the undo, or stay where an undo did not work: sent again, the event tries those that failed again."""
    node = draft.graph[f"{draft.instance.machine_transition}.{MOVE}"]
    broken = _broken(draft) if draft.instance.undo_failed else []
    draft.need_steps([node.path])
    draft.emit(EventType.MACHINE_UNDONE, node.path, failed=broken)
    if draft.stopped(node):
        return stopping.cancel(draft, node)
    if broken:
        message = f"the undo of {', '.join(broken)} did not work, so the machine stays in its state"
        return stopping.failed(draft, node, error("COMPENSATION_FAILED", message, steps=broken))
    try:
        _move(draft, node)
    except OrchestratorError as problem:
        stopping.failed(draft, node, error_of(problem))


def _broken(draft: Draft) -> list[str]:
    """Return the actions of which the undo did not work, the latest first."""
    draft.require_complete()
    found = [step for step in draft.steps.values() if step.state is StepState.COMPENSATION_FAILED]
    return [step.path for step in sorted(found, key=lambda step: -(step.settled or 0))]
