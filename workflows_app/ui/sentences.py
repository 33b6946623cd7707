"""Sentences: how an instance stands, in plain words: what it waits for, or why it ended as it did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from workflows_app.engine.states import InstanceState, Role, StepState
from workflows_app.models import AuditEntry, Dispatch, Subscription
from workflows_app.selectors import standstill
from workflows_app.selectors.obstacle_sentences import planned
from workflows_app.selectors.section_views import assigned_words
from workflows_app.selectors.standstill import Standstill
from workflows_app.selectors.waiting import Wait
from workflows_app.selectors.waiting import sentence as waiting
from workflows_app.spans import moment, span
from workflows_app.ui import machines

NAMED = 3
"""Of many steps in the same situation, this many are named."""
UNDONE = "UNDONE"
"""The code of an instance that had completed and was compensated with its caller."""
TAKEN_BACK = ("instance.rewound", "instance.rerun")
"""What an operator did to an instance that goes back to a step."""
PATIENCE = timedelta(seconds=15)
"""A timer that is later than this is called overdue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a sentence is made of; see ``sentence``."""

    instance: Any
    steps: Mapping[str, Any]
    names: Mapping[str, str]
    unclaimed: Sequence[Dispatch]
    awaited: Sequence[Subscription]
    acts: Sequence[AuditEntry]
    called: Mapping[str, Any]
    now: datetime
    wait: Wait | None
    repeats: Mapping[str, str]
    whole: bool
    machine: Mapping[str, Any] | None = None
    sections: Sequence[Mapping[str, Any]] = ()
    standstill: Standstill | None = None
    starts_at: datetime | None = None

    def name(self, path: str) -> str:
        name = self.names.get(path, path)
        return f"“{name}”" if name == path else f"“{name}” ({path})"

    def in_state(self, *states: StepState) -> list[Any]:
        return [row for row in self.steps.values() if row.state in states]


def sentence(
    instance: Any,
    *,
    steps: Mapping[str, Any],
    names: Mapping[str, str],
    unclaimed: Sequence[Dispatch],
    acts: Sequence[AuditEntry],
    now: datetime,
    wait: Wait | None = None,
    awaited: Sequence[Subscription] = (),
    called: Sequence[Any] = (),
    repeats: Mapping[str, str] | None = None,
    whole: bool = True,
    machine: Mapping[str, Any] | None = None,
    sections: Sequence[Mapping[str, Any]] = (),
    held_up: Standstill | None = None,
    starts_at: datetime | None = None,
) -> str:
    """Return what the page says under the title.

    Args:
        instance: as ``portions.overview`` returns it.
        steps: rows by path, as ``portions.step_rows`` returns them, in the order in which they are named.
        names: what people call the steps, by path.
        unclaimed: dispatches that no worker has taken, as ``portions.unclaimed`` returns them.
        awaited: what steps wait for events.
        acts: what operators did, the newest first.
        now: the time of the page.
        wait: what a pending instance waits for, as ``standing.waits_for`` returns it.
        called: instances that its steps called, as ``portions.children`` returns them.
        repeats: how far the steps are that repeat others at the moment, by path.
        whole: whether ``steps`` has those of every iteration.
        machine: how a state machine stands, as ``machine_views.view`` returns it.
        sections: where people choose what is next, as ``section_views.views`` returns them.
        held_up: who paused it, as ``standing.standstill_of`` returns it.
        starts_at: when a pending instance begins, as ``standing.starts_at`` returns it.
    """
    facts = Facts(
        instance=instance,
        steps=steps,
        names=names,
        unclaimed=unclaimed,
        awaited=awaited,
        acts=acts,
        called={row.parent_path: row for row in called},
        now=now,
        wait=wait,
        repeats=repeats or {},
        whole=whole,
        machine=machine,
        sections=sections,
        standstill=held_up,
        starts_at=starts_at,
    )
    said = _SENTENCES[InstanceState(instance.state)](facts)
    # Its workflow, a queue or everything is paused, not the instance: it stands as it says, and nothing is begun.
    return f"{standstill.sentence(held_up)} {said}" if held_up is not None and held_up.what else said


def _pending(facts: Facts) -> str:
    if facts.starts_at is not None:
        return planned(facts.starts_at)
    return waiting(facts.wait) if facts.wait else "Accepted; nothing has started yet."


def _running(facts: Facts) -> str:
    waits = _waits(facts)
    if facts.instance.ending == "return":
        return f"Its result stands; it ends as soon as the rest has stopped. {waits}".strip()
    if facts.instance.ending:
        then = "then completed steps are undone" if facts.instance.undo else "then it ends"
        return f"Stopping: {_reason(facts)} Running steps may finish, {then}. {waits}".strip()
    if facts.machine is not None:
        undoing = _part("Being undone: ", [facts.name(row.path) for row in facts.in_state(StepState.COMPENSATING)])
        return " ".join(part for part in (machines.stands(facts.machine), undoing, waits) if part)
    return waits or "Between two steps: the next one is about to be scheduled."


def _paused(facts: Facts) -> str:
    said = facts.standstill and standstill.sentence(facts.standstill)
    return f"{said or 'Paused.'} Running attempts may finish; nothing new starts until it is resumed."


def _compensating(facts: Facts) -> str:
    undoing = _list([facts.name(row.path) for row in facts.in_state(StepState.COMPENSATING)], facts.whole)
    done = facts.instance.undone - len(facts.in_state(StepState.COMPENSATION_FAILED))
    return (
        f"{_reason(facts)} Completed steps are being undone in reverse: now {undoing or 'the next ones'}, "
        f"{_number(done, 'step')} undone so far. {_waits(facts)}".strip()
    )


def _completed(facts: Facts) -> str:
    if facts.machine is not None:
        return f"Completed: the machine has reached “{facts.machine['state']}”."
    tolerated = [facts.name(row.path) for row in facts.in_state(StepState.FAILED, StepState.TIMED_OUT)]
    if tolerated:
        return f"Completed; the definition tolerates that {_list(tolerated, facts.whole)} failed."
    return "Completed: every step that was due has run."


def _failed(facts: Facts) -> str:
    return f"{_reason(facts)} {_nothing_undone(facts)}"


def _cancelled(facts: Facts) -> str:
    return f"{_reason(facts)} {_nothing_undone(facts)}"


def _nothing_undone(facts: Facts) -> str:
    return "There was nothing to undo." if facts.instance.undo else "Nothing was undone."


def _terminated(facts: Facts) -> str:
    return f"{_act(facts, 'instance.terminated', 'Terminated')} It ended at once: nothing was awaited, nothing undone."


def _compensated(facts: Facts) -> str:
    done = facts.instance.undone
    return f"{_reason(facts)} What had been done was undone: {_number(done, 'step')}, each successfully."


def _compensation_failed(facts: Facts) -> str:
    broken = [
        f"{facts.name(row.path)}{_because(row.undo_error_code, row.undo_error_message)}"
        for row in facts.in_state(StepState.COMPENSATION_FAILED)
    ]
    what = f"The undo of {_list(broken)} did not work" if broken else "An undo did not work"
    return f"{_reason(facts)} {what}: somebody has to look at what is left of it."


_SENTENCES: Mapping[InstanceState, Callable[[Facts], str]] = {
    InstanceState.PENDING: _pending,
    InstanceState.RUNNING: _running,
    InstanceState.PAUSED: _paused,
    InstanceState.COMPENSATING: _compensating,
    InstanceState.COMPLETED: _completed,
    InstanceState.FAILED: _failed,
    InstanceState.CANCELLED: _cancelled,
    InstanceState.TERMINATED: _terminated,
    InstanceState.COMPENSATED: _compensated,
    InstanceState.COMPENSATION_FAILED: _compensation_failed,
}


def _reason(facts: Facts) -> str:
    """Why it left the straight road, as a sentence."""
    cause = facts.instance.cause
    if facts.instance.error_code == UNDONE:
        return f"It had completed, and was {facts.instance.error_message}."
    if cause == "cancelled":
        return _act(facts, "instance.cancelled", "Cancelled")
    if cause == "operator" and facts.instance.state != InstanceState.TERMINATED:
        back = next((act.action for act in facts.acts if act.action in TAKEN_BACK), TAKEN_BACK[0])
        return _act(facts, back, "Taken back to a step")
    if cause == "operator":
        return _act(facts, "instance.terminated", "Ended by an operator")
    because = _because(facts.instance.error_code, facts.instance.error_message)
    if cause == "timed_out":
        return f"The instance took longer than it may{because}."
    culprits = [row for row in facts.in_state(StepState.FAILED, StepState.TIMED_OUT) if _is_of(row, facts)]
    # A block fails as the step inside it did.
    culprit = max(culprits, key=lambda row: row.path.count("["), default=None)
    return f"{facts.name(culprit.path)} failed{because}." if culprit else f"It failed{because}."


def _is_of(row: Any, facts: Facts) -> bool:
    mine = (row.error_code, row.error_message)
    return mine == (facts.instance.error_code, facts.instance.error_message)


def _act(facts: Facts, action: str, verb: str) -> str:
    act = next((act for act in facts.acts if act.action == action), None)
    if act is None:
        # Not by a person: by the instance that called it, which says why.
        said = facts.instance.error_message
        return f"{verb}: {said}." if said else f"{verb}."
    reason = act.data.get("reason") if isinstance(act.data, dict) else None
    return f"{verb} by {act.actor}: {str(reason)[:500]}." if reason else f"{verb} by {act.actor}."


def _waits(facts: Facts) -> str:
    """What it waits for at this moment; empty if for nothing that a row tells."""
    running = facts.in_state(StepState.RUNNING)
    stopping = [row for row in running if row.stopping]
    joining = [row for row in facts.in_state(StepState.PENDING) if row.due_at]
    whole = facts.whole
    parts = [
        _part("Repeating: ", [f"{facts.name(path)}, {progress}" for path, progress in facts.repeats.items()]),
        _part("Running: ", [_attempt(facts, row) for row in running if not row.stopping], whole),
        _part("Told to stop, as nothing waits for it any more: ", [facts.name(r.path) for r in stopping], whole),
        _part("Waiting for the last of its dependencies: ", [_until(facts, row) for row in joining], whole),
        _part("To be tried again: ", [_again(facts, row) for row in _retrying(facts)], whole),
        _part("Waiting for a time: ", [_until(facts, row) for row in _timed(facts)], whole),
        _part("Waiting for people to choose what is done next: ", [_for_people(facts, row) for row in facts.sections]),
        _part("Waiting for an event: ", [_for_event(facts, row) for row in facts.awaited]),
        _part("Waiting for the end of another workflow: ", [_below(facts, row) for row in _calling(facts)], whole),
        # One more than is named has been read, if there is one.
        _part("Waiting for a free worker: ", [_queued(facts, row) for row in facts.unclaimed], False),
    ]
    return " ".join(part for part in parts if part)


def _for_people(facts: Facts, section: Mapping[str, Any]) -> str:
    return f"{facts.name(section['step'])}, for {assigned_words(section['assign'])}"


def _timed(facts: Facts) -> list[Any]:
    """Steps that only a time ends the waiting of."""
    receiving = {row.path for row in facts.awaited}
    return [row for row in facts.in_state(StepState.WAITING) if row.due_at and row.path not in receiving]


def _for_event(facts: Facts, row: Subscription) -> str:
    waits = f"{facts.name(row.path)} waits for event {row.type} with key {row.key} since {moment(row.since)} UTC"
    step = facts.steps.get(row.path)
    late = f", at most until {moment(step.due_at)} UTC{_overdue(facts, step)}" if step and step.due_at else ""
    return waits + late


def _calling(facts: Facts) -> list[Any]:
    sent = {row.path for row in facts.unclaimed}
    waiting = facts.in_state(StepState.WAITING, StepState.COMPENSATING)
    return [row for row in waiting if row.path in facts.called and not row.attempts and row.path not in sent]


def _below(facts: Facts, row: Any) -> str:
    called = facts.called[row.path]
    undo = ", which is being undone" if row.state == StepState.COMPENSATING else ""
    since = f"since {moment(row.started_at)} UTC"
    return f"{facts.name(row.path)} waits for {called.workflow} ({called.pk}) {since}{undo}"


def _retrying(facts: Facts) -> list[Any]:
    undoing = [row for row in facts.in_state(StepState.COMPENSATING) if row.due_at]
    return [*facts.in_state(StepState.RETRYING), *undoing]


def _attempt(facts: Facts, row: Any) -> str:
    name = f"the fallback of {facts.name(row.path)}" if row.role == Role.FALLBACK else facts.name(row.path)
    return name if row.attempts == 1 else f"{name}, attempt {row.attempts}"


def _again(facts: Facts, row: Any) -> str:
    undo = row.role == Role.COMPENSATION
    code, message = (row.undo_error_code, row.undo_error_message) if undo else (row.error_code, row.error_message)
    what = f"the undo of {facts.name(row.path)}" if undo else facts.name(row.path)
    after = f"after {_number(row.failures, 'failure')}{_because(code, message)}"
    return f"{what} at {moment(row.due_at)} UTC{_overdue(facts, row)}, {after}"


def _until(facts: Facts, row: Any) -> str:
    return f"{facts.name(row.path)} until {moment(row.due_at)} UTC{_overdue(facts, row)}"


def _overdue(facts: Facts, row: Any) -> str:
    """Say that a timer has not fired in time, and what fires timers."""
    late = facts.now - row.due_at > PATIENCE
    return f" (overdue by {span(row.due_at, facts.now)}: is the sweeper running?)" if late else ""


def _queued(facts: Facts, row: Any) -> str:
    nobody = "" if row.served else ", from which no worker takes anything"
    return f"{facts.name(row.path)} on the queue “{row.queue}” for {span(row.created_at, facts.now)}{nobody}"


def _part(label: str, things: Sequence[str], whole: bool = True) -> str:
    return f"{label}{_list(things, whole)}." if things else ""


def _because(code: str | None, message: str | None) -> str:
    if not code:
        return ""
    return f" with {code}: {message.rstrip('.')}" if message else f" with {code}"


def _list(things: Sequence[str], whole: bool = True) -> str:
    """Name a few things and count the others, if these are all of them.

    >>> _list(["a"]), _list(["a", "b"]), _list(["a", "b", "c", "d", "e"]), _list(["a", "b", "c", "d"], whole=False)
    ('a', 'a and b', 'a; b; c and 2 more', 'a; b; c and others')
    """
    if len(things) <= 2:
        return " and ".join(things)
    more = len(things) - NAMED
    if more > 0:
        return f"{'; '.join(things[:NAMED])} and {f'{more} more' if whole else 'others'}"
    return f"{'; '.join(things[:-1])} and {things[-1]}"


def _number(number: int, thing: str) -> str:
    """Count a thing.

    >>> _number(1, "step"), _number(2, "step")
    ('1 step', '2 steps')
    """
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
