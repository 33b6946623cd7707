"""Decide: one occurrence in, one decision out."""

from __future__ import annotations

from datetime import datetime, timedelta

from workflows_app.engine.commands import SetTimer, TimerKind
from workflows_app.engine.errors import StateForbids
from workflows_app.engine.events import EventType
from workflows_app.engine.states import InstanceState, StepState
from workflows_app.engine.transitions import closing, entering, outcomes, settling, stopping
from workflows_app.engine.transitions.occurrences import (
    AttemptFailed,
    AttemptLost,
    AttemptPostponed,
    AttemptSucceeded,
    AttemptTimedOut,
    Cancel,
    Occurrence,
    Start,
    StepClaimed,
    Terminate,
    TimerFired,
)
from workflows_app.engine.transitions.slice import Decision, Draft, Look, Slice, StaleOccurrence, error


def decide(slice_: Slice, occurrence: Occurrence, *, now: datetime, actor: str = "engine") -> Decision:
    """Return what follows from one occurrence.

    Args:
        slice_: the stored state that the decision may see; the instance's row is locked by the caller.
        occurrence: what happened.
        now: the database's time, aware.
        actor: who is recorded as the events' author.

    Raises:
        SliceMiss: the slice lacks something; nothing has changed.
        StaleOccurrence: the attempt or timer has gone; nothing is to be changed.
        StateForbids: an operator's command that the instance's state does not allow.
    """
    draft = Draft(slice_, now=now, actor=actor)
    match occurrence:
        case Start():
            _start(draft, occurrence)
        case StepClaimed():
            outcomes.claimed(draft, occurrence)
        case AttemptSucceeded():
            outcomes.succeeded(draft, occurrence)
        case AttemptFailed():
            outcomes.failed(draft, occurrence)
        case AttemptPostponed():
            outcomes.postponed(draft, occurrence)
        case AttemptTimedOut():
            outcomes.timed_out(draft, occurrence)
        case AttemptLost():
            outcomes.lost(draft, occurrence)
        case TimerFired():
            _timer(draft, occurrence)
        case Cancel():
            _cancel(draft, occurrence)
        case Terminate():
            _terminate(draft, occurrence)
    _look_around(draft)
    return Decision(before=slice_, after=draft, events=tuple(draft.events), commands=tuple(draft.commands))


def _look_around(draft: Draft) -> None:
    """Work off what the occurrence left to be looked at, in order of arrival, until nothing follows any more."""
    while draft.todo:
        look, path = draft.todo.popleft()
        if look is Look.CLOSE:
            closing.close(draft, path)
        elif path is not None:
            entering.consider(draft, draft.graph[path])


def _start(draft: Draft, occurrence: Start) -> None:
    definition = draft.graph.definition
    draft.actor = occurrence.actor
    draft.emit(
        EventType.INSTANCE_STARTED,
        input=occurrence.input,
        variables=dict(definition.variables),
        correlation_id=occurrence.correlation_id,
        workflow=definition.name,
        version=definition.version,
    )
    draft.actor = "engine"
    if definition.timeout is not None:
        due = draft.now + timedelta(seconds=definition.timeout)
        draft.command(SetTimer(step="", kind=TimerKind.INSTANCE, due_at=due))
    for path in draft.graph.roots:
        node = draft.graph[path]
        if not node.needs:
            draft.look_later(Look.ENTER, path)


def _timer(draft: Draft, occurrence: TimerFired) -> None:
    if occurrence.kind is TimerKind.INSTANCE:
        if draft.instance.state is not InstanceState.RUNNING or draft.instance.ending is not None:
            raise StaleOccurrence("the instance is ending already")
        definition = draft.graph.definition
        undo = draft.graph.undoes(definition.on_timeout)
        problem = error("TIMEOUT", f"the instance took longer than {definition.timeout:g} s")
        stopping.stop(draft, ending="timed_out", undo=undo, error=problem)
        return
    node, step = draft.graph[occurrence.step], draft.step(occurrence.step)
    match occurrence.kind, step.state:
        case TimerKind.RETRY, StepState.RETRYING:
            outcomes.send_again(draft, node)
        case TimerKind.RETRY, StepState.COMPENSATING if step.attempt is None and step.due_at is not None:
            outcomes.send_again(draft, node)
        case TimerKind.WAIT, StepState.WAITING:
            settling.complete(draft, node, output=None)
        case TimerKind.DEADLINE, StepState.WAITING if node.is_container:
            stopping.stop_block(draft, node, _overdue())
        case TimerKind.DEADLINE, StepState.SCHEDULED | StepState.RUNNING | StepState.RETRYING | StepState.WAITING:
            stopping.end_overdue(draft, node, _overdue())
        case _:
            raise StaleOccurrence(f"{occurrence.step} is {step.state}: its {occurrence.kind} timer has nothing to do")


def _overdue() -> dict[str, object]:
    return error("DEADLINE_EXCEEDED", "the step's deadline passed")


def _cancel(draft: Draft, occurrence: Cancel) -> None:
    _require_running(draft)
    draft.actor = occurrence.actor
    undo = occurrence.compensate
    if undo is None:
        undo = draft.graph.undoes(draft.graph.definition.on_cancel)
    problem = error("CANCELLED", occurrence.reason or "cancelled on request")
    stopping.stop(draft, ending="cancelled", undo=undo, error=problem, reason=occurrence.reason)


def _require_running(draft: Draft) -> None:
    if draft.instance.state is not InstanceState.RUNNING:
        raise StateForbids(f"the instance is {draft.instance.state}; only a running one can be cancelled")
    if draft.instance.ending is not None:
        raise StateForbids(f"the instance is ending already (cause: {draft.instance.ending})")


def _terminate(draft: Draft, occurrence: Terminate) -> None:
    if draft.instance.state not in (InstanceState.RUNNING, InstanceState.COMPENSATING):
        raise StateForbids(f"the instance is {draft.instance.state}; it has ended already")
    draft.require_whole()
    draft.actor = occurrence.actor
    stopping.end_at_once(draft, error("TERMINATED", occurrence.reason or "terminated by an operator"))
    draft.todo.clear()
    draft.emit(
        EventType.INSTANCE_TERMINATED,
        cause="operator",
        reason=occurrence.reason,
        error=error("TERMINATED", occurrence.reason or "terminated by an operator"),
    )
