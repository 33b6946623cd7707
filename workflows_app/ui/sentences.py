"""Sentences: how an instance stands, in plain words: what it waits for, or why it ended as it did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from workflows_app.engine.states import InstanceState, Role, StepState
from workflows_app.models import AuditEntry, Dispatch
from workflows_app.spans import moment, span

NAMED = 3
"""Of many steps in the same situation, this many are named."""
PATIENCE = timedelta(seconds=15)
"""A timer that is later than this is called overdue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a sentence is made of; see ``sentence``."""

    instance: Any
    steps: Mapping[str, Any]
    names: Mapping[str, str]
    unclaimed: Sequence[Dispatch]
    acts: Sequence[AuditEntry]
    now: datetime

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
) -> str:
    """Return what the page says under the title.

    Args:
        instance: as ``selectors.overview`` returns it.
        steps: rows by path, as ``selectors.step_rows`` returns them.
        names: what people call the steps, by path.
        unclaimed: dispatches that no worker has taken.
        acts: what operators did, the newest first.
        now: the time of the page.
    """
    facts = Facts(instance=instance, steps=steps, names=names, unclaimed=unclaimed, acts=acts, now=now)
    return _SENTENCES[InstanceState(instance.state)](facts)


def _pending(facts: Facts) -> str:
    return "Accepted; nothing has started yet."


def _running(facts: Facts) -> str:
    waits = _waits(facts)
    if facts.instance.ending == "return":
        return f"Its result stands; it ends as soon as the rest has stopped. {waits}".strip()
    if facts.instance.ending:
        then = "then completed steps are undone" if facts.instance.undo else "then it ends"
        return f"Stopping: {_reason(facts)} Running steps may finish, {then}. {waits}".strip()
    return waits or "Between two steps: the next one is about to be scheduled."


def _paused(facts: Facts) -> str:
    return "Paused by an operator: running attempts may finish, nothing new starts until it is resumed."


def _compensating(facts: Facts) -> str:
    undoing = _list([facts.name(row.path) for row in facts.in_state(StepState.COMPENSATING)])
    done = len(facts.in_state(StepState.COMPENSATED))
    return (
        f"{_reason(facts)} Completed steps are being undone in reverse: now {undoing or 'the next one'}, "
        f"{_number(done, 'step')} undone so far. {_waits(facts)}".strip()
    )


def _completed(facts: Facts) -> str:
    tolerated = [facts.name(row.path) for row in facts.in_state(StepState.FAILED, StepState.TIMED_OUT)]
    if tolerated:
        return f"Completed; the definition tolerates that {_list(tolerated)} failed."
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
    done = len(facts.in_state(StepState.COMPENSATED))
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
    if cause == "cancelled":
        return _act(facts, "instance.cancelled", "Cancelled")
    if cause == "operator":
        return _act(facts, "instance.terminated", "Ended by an operator")
    because = _because(facts.instance.error_code, facts.instance.error_message)
    if cause == "timed_out":
        return f"The instance took longer than it may{because}."
    culprit = next((row for row in facts.in_state(StepState.FAILED, StepState.TIMED_OUT) if _is_of(row, facts)), None)
    return f"{facts.name(culprit.path)} failed{because}." if culprit else f"It failed{because}."


def _is_of(row: Any, facts: Facts) -> bool:
    mine = (row.error_code, row.error_message)
    return mine == (facts.instance.error_code, facts.instance.error_message)


def _act(facts: Facts, action: str, verb: str) -> str:
    act = next((act for act in facts.acts if act.action == action), None)
    if act is None:
        return f"{verb}."
    reason = act.data.get("reason") if isinstance(act.data, dict) else None
    return f"{verb} by {act.actor}: {str(reason)[:500]}." if reason else f"{verb} by {act.actor}."


def _waits(facts: Facts) -> str:
    """What it waits for at this moment; empty if for nothing that a row tells."""
    parts = [
        _part("Running: ", [_attempt(facts, row) for row in facts.in_state(StepState.RUNNING)]),
        _part("To be tried again: ", [_again(facts, row) for row in _retrying(facts)]),
        _part("Waiting for a time: ", [_until(facts, row) for row in facts.in_state(StepState.WAITING) if row.due_at]),
        _part("Waiting for a free worker: ", [_queued(facts, row) for row in facts.unclaimed]),
    ]
    return " ".join(part for part in parts if part)


def _retrying(facts: Facts) -> list[Any]:
    undoing = [row for row in facts.in_state(StepState.COMPENSATING) if row.due_at]
    return [*facts.in_state(StepState.RETRYING), *undoing]


def _attempt(facts: Facts, row: Any) -> str:
    return facts.name(row.path) if row.attempts == 1 else f"{facts.name(row.path)}, attempt {row.attempts}"


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


def _queued(facts: Facts, row: Dispatch) -> str:
    return f"{facts.name(row.path)} on the queue “{row.queue}” for {span(row.created_at, facts.now)}"


def _part(label: str, things: Sequence[str]) -> str:
    return f"{label}{_list(things)}." if things else ""


def _because(code: str | None, message: str | None) -> str:
    if not code:
        return ""
    return f" with {code}: {message.rstrip('.')}" if message else f" with {code}"


def _list(things: Sequence[str]) -> str:
    """Name a few things and count the others.

    >>> _list(["a"]), _list(["a", "b"]), _list(["a", "b", "c", "d", "e"])
    ('a', 'a and b', 'a; b; c and 2 more')
    """
    if len(things) <= 2:
        return " and ".join(things)
    more = len(things) - NAMED
    if more > 0:
        return f"{'; '.join(things[:NAMED])} and {more} more"
    return f"{'; '.join(things[:-1])} and {things[-1]}"


def _number(number: int, thing: str) -> str:
    """Count a thing.

    >>> _number(1, "step"), _number(2, "step")
    ('1 step', '2 steps')
    """
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
