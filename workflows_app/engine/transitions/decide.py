"""Decide: one occurrence in, one decision out."""

from __future__ import annotations

from datetime import datetime, timedelta

from workflows_app.engine.commands import ClearTimers, SetTimer, TimerKind
from workflows_app.engine.definition.machine import MACHINE
from workflows_app.engine.errors import StateForbids
from workflows_app.engine.events import EventType
from workflows_app.engine.node import NodeKind
from workflows_app.engine.states import Cause, InstanceState, StepState
from workflows_app.engine.transitions import (
    adhoc,
    calling,
    closing,
    entering,
    going_back,
    holding,
    leaving,
    losing,
    machines,
    migrating,
    operating,
    outcomes,
    pausing,
    pending,
    queueing,
    receiving,
    repeating,
    retrying,
    settling,
    stopping,
    tagging,
    undoing,
)
from workflows_app.engine.transitions.draft import Draft, Look
from workflows_app.engine.transitions.occurrences import (
    Accept,
    AttemptFailed,
    AttemptLost,
    AttemptPostponed,
    AttemptSucceeded,
    AttemptTimedOut,
    Begin,
    Cancel,
    ChangeTags,
    ChangeVariables,
    ChildEnded,
    Compensate,
    EventArrived,
    EventReceived,
    MemberChosen,
    Migrate,
    Occurrence,
    Pause,
    PlanStart,
    Resume,
    Retry,
    RetryUndo,
    Rewind,
    RunNow,
    Skip,
    SkipUndo,
    SlotGranted,
    Start,
    StepClaimed,
    Terminate,
    TimerFired,
    UndoDone,
)
from workflows_app.engine.transitions.problems import error
from workflows_app.engine.transitions.slice import Decision, Slice, StaleOccurrence


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
        OrchestratorError: an event that a state machine refuses, or a choice that an ad-hoc section does, with the
            reason's code.
    """
    draft = Draft(slice_, now=now, actor=actor)
    match occurrence:
        case Start():
            pending.start(draft, occurrence)
            _open(draft)
        case PlanStart():
            pending.plan(draft, occurrence)
        case Accept():
            pending.accept(draft, occurrence)
        case SlotGranted():
            pending.begin(draft)
            _open(draft)
        case Begin():
            pending.begin_called(draft)
            _open(draft)
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
        case EventArrived():
            receiving.arrived(draft, occurrence)
        case MemberChosen():
            adhoc.chosen_by(draft, occurrence)
        case ChildEnded():
            calling.ended(draft, occurrence)
        case Compensate():
            _compensate(draft, occurrence)
        case Cancel():
            _cancel(draft, occurrence)
        case Terminate():
            _terminate(draft, occurrence)
        case Pause():
            pausing.pause(draft, occurrence)
        case Resume():
            pausing.resume(draft, occurrence)
        case ChangeVariables():
            pausing.change_variables(draft, occurrence)
        case ChangeTags():
            tagging.change(draft, occurrence)
        case Migrate():
            migrating.migrate(draft, occurrence)
        case RunNow():
            operating.run_now(draft, occurrence)
        case Skip():
            operating.skip(draft, occurrence)
        case Retry():
            retrying.retry(draft, occurrence)
        case Rewind():
            going_back.rewind(draft, occurrence)
        case RetryUndo():
            leaving.retry(draft, occurrence)
        case SkipUndo():
            leaving.skip(draft, occurrence)
        case UndoDone():
            leaving.done(draft, occurrence)
        case EventReceived():
            machines.received(draft, occurrence)
    _look_around(draft)
    return Decision(before=slice_, after=draft, events=tuple(draft.events), commands=tuple(draft.commands))


def _look_around(draft: Draft) -> None:
    """Work off what the occurrence left to be looked at, in order of arrival, until nothing follows any more."""
    if draft.paused:
        draft.todo.clear()  # the resume looks at everything
    while draft.todo:
        look, path = draft.todo.popleft()
        if look is Look.CLOSE:
            closing.close(draft, path)
        elif look is Look.LOSERS and path is not None:
            losing.cancel_branches(draft, draft.graph[path])
        elif look is Look.REPEAT and path == MACHINE and draft.graph.definition.machine is not None:
            machines.go_on(draft, draft.graph[path])
        elif look is Look.REPEAT and path is not None and draft.graph[path].kind is NodeKind.ADHOC:
            adhoc.go_on(draft, draft.graph[path])
        elif look is Look.REPEAT and path is not None:
            repeating.go_on(draft, draft.graph[path])
        elif look is Look.UNDONE:
            machines.undone(draft)
        elif look is Look.REWOUND:
            going_back.arrive(draft)
        elif path is not None:
            entering.consider(draft, draft.graph[path])


def _open(draft: Draft) -> None:
    """Let the instance's time run and look at the steps that wait for nothing."""
    definition = draft.graph.definition
    if definition.timeout is not None:
        due = draft.now + timedelta(seconds=definition.timeout)
        draft.command(SetTimer(step="", kind=TimerKind.INSTANCE, due_at=due))
    for path in draft.graph.roots:
        node = draft.graph[path]
        if not node.needs:
            draft.look_later(Look.ENTER, path)


def _timer(draft: Draft, occurrence: TimerFired) -> None:
    if occurrence.kind is TimerKind.START:
        pending.begin(draft)
        return _open(draft)
    if occurrence.kind is TimerKind.INSTANCE:
        if not _is_going_on(draft) or draft.instance.ending is not None:
            raise StaleOccurrence("the instance is ending already")
        definition = draft.graph.definition
        undo = draft.graph.undoes(definition.on_timeout)
        problem = error("TIMEOUT", f"the instance took longer than {definition.timeout:g} s")
        return stopping.stop(draft, ending="timed_out", undo=undo, error=problem)
    node, step = draft.graph[occurrence.step], draft.step(occurrence.step)
    if draft.paused and occurrence.kind is not TimerKind.STATE:
        return holding.keep_timer(draft, node, occurrence.kind)
    match occurrence.kind, step.state:
        case TimerKind.RETRY, StepState.RETRYING:
            outcomes.send_again(draft, node)
        case TimerKind.RETRY, StepState.COMPENSATING if step.attempt is None and step.due_at is not None:
            outcomes.send_again(draft, node)
        case TimerKind.WAIT, StepState.WAITING if node.kind is NodeKind.RECEIVE:
            receiving.overdue(draft, node)
        case TimerKind.WAIT, StepState.WAITING:
            settling.complete(draft, node, output=None)
        case TimerKind.REPEAT, _ if draft.instance.state is InstanceState.COMPENSATING and step.undo_left:
            undoing.go_on_inside(draft, node)
        case TimerKind.REPEAT, StepState.WAITING:
            repeating.go_on(draft, node, waited=True)
        case TimerKind.STATE, StepState.WAITING if not step.stopping and draft.instance.ending is None:
            machines.timed_out(draft, node)
        case TimerKind.JOIN, StepState.PENDING if not draft.stopped(node):
            entering.overdue(draft, node)
        case TimerKind.DEADLINE, StepState.WAITING if node.awaits_child:
            calling.overdue(draft, node, _overdue())
        case TimerKind.DEADLINE, StepState.WAITING if node.is_container:
            stopping.stop_block(draft, node, _overdue())
        case TimerKind.DEADLINE, StepState.SCHEDULED | StepState.RUNNING | StepState.RETRYING | StepState.WAITING:
            stopping.end_overdue(draft, node, _overdue())
        case _:
            raise StaleOccurrence(f"{occurrence.step} is {step.state}: its {occurrence.kind} timer has nothing to do")


def _overdue() -> dict[str, object]:
    return error("DEADLINE_EXCEEDED", "the step's deadline passed")


def _cancel(draft: Draft, occurrence: Cancel) -> None:
    if draft.instance.state is InstanceState.PENDING:
        return _end_unbegun(draft, EventType.INSTANCE_CANCELLED, Cause.CANCELLED, "CANCELLED", occurrence)
    _require_running(draft)
    draft.actor = occurrence.actor
    undo = occurrence.compensate
    if undo is None:
        undo = draft.graph.undoes(draft.graph.definition.on_cancel)
    problem = error("CANCELLED", occurrence.reason or "cancelled on request")
    return stopping.stop(draft, ending="cancelled", undo=undo, error=problem, reason=occurrence.reason)


def _end_unbegun(draft: Draft, kind: EventType, cause: Cause, code: str, occurrence: Cancel | Terminate) -> None:
    """End an instance of which nothing has begun: nothing has to be awaited or undone."""
    draft.actor = occurrence.actor
    asked = "cancelled on request" if isinstance(occurrence, Cancel) else "terminated by an operator"
    problem = error(code, occurrence.reason or asked)
    draft.emit(kind, cause=cause, reason=occurrence.reason, error=problem)
    draft.command(ClearTimers(step=""))


def _compensate(draft: Draft, occurrence: Compensate) -> None:
    if draft.instance.state is not InstanceState.COMPLETED:
        raise StateForbids(f"the instance is {draft.instance.state}; only a completed one can be undone as a whole")
    draft.actor = occurrence.actor
    problem = error("UNDONE", occurrence.reason or "undone with the instance that called it")
    undoing.undo_completed(draft, cause=occurrence.cause, error=problem)


def _is_going_on(draft: Draft) -> bool:
    return draft.instance.state in (InstanceState.RUNNING, InstanceState.PAUSED)


def _require_running(draft: Draft) -> None:
    if not _is_going_on(draft):
        raise StateForbids(f"the instance is {draft.instance.state}; only a running one can be cancelled")
    if draft.instance.ending is not None:
        raise StateForbids(f"the instance is ending already (cause: {draft.instance.ending})")


def _terminate(draft: Draft, occurrence: Terminate) -> None:
    if draft.instance.state is InstanceState.PENDING:
        return _end_unbegun(draft, EventType.INSTANCE_TERMINATED, Cause.OPERATOR, "TERMINATED", occurrence)
    if not (_is_going_on(draft) or draft.instance.state is InstanceState.COMPENSATING):
        raise StateForbids(f"the instance is {draft.instance.state}; it has ended already")
    draft.require_whole()
    draft.actor = occurrence.actor
    problem = error("TERMINATED", occurrence.reason or "terminated by an operator")
    if undoing.is_again(draft):
        # It had ended, and ends like that once more: what an operator takes up can be taken up again.
        undoing.end_at_once(draft, problem)
        return draft.emit(EventType.INSTANCE_COMPENSATION_FAILED)
    undoing.end_at_once(draft, problem)
    stopping.end_at_once(draft)
    draft.todo.clear()
    queueing.refuse_all(draft, error("TERMINATED", "the instance ended before the event's turn came"))
    draft.emit(
        EventType.INSTANCE_TERMINATED,
        cause="operator",
        reason=occurrence.reason,
        error=problem,
    )
    return None
