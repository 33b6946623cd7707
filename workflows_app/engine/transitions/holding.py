"""Holding: what comes while an instance is paused is recorded; what follows from it waits for the resume.

Nothing new starts meanwhile: the tickets of unclaimed steps are taken back and no new ones are written, so that no
claim finds one; what settles is looked at no further; a timer that comes due, and a failure that would stop something,
are kept in the instance's ``held``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from workflows_app.engine.commands import Dispatch, SetTimer, TimerKind, Withdraw
from workflows_app.engine.events import EventType
from workflows_app.engine.node import Node
from workflows_app.engine.states import STEP_OPEN, Role, StepState
from workflows_app.engine.transitions.draft import Draft
from workflows_app.engine.transitions.slice import StaleOccurrence

UNDER_WAY = STEP_OPEN | {StepState.COMPENSATING}


def keep_timer(draft: Draft, node: Node, kind: TimerKind) -> None:
    """Record that a timer came due; it fires when the instance is resumed.

    Raises:
        StaleOccurrence: the step has settled meanwhile.
    """
    step = draft.step(node.path)
    if step.state not in UNDER_WAY:
        raise StaleOccurrence(f"{node.path} is {step.state}: its {kind} timer has nothing to do")
    draft.emit(EventType.TIMER_HELD, node.path, timer=kind.value)


def take_back(draft: Draft) -> None:
    """Take back the tickets of what no worker has claimed."""
    for path in _unclaimed(draft):
        draft.command(Withdraw(step=path))


def let_go(draft: Draft, held: Iterable[Mapping[str, Any]]) -> None:
    """Write the tickets of what no worker has claimed, and let the timers fire that came due meanwhile.

    Args:
        held: what the instance kept until the pause was over.
    """
    for path in _unclaimed(draft):
        draft.command(_ticket(draft, path))
    for each in held:
        if "timer" in each and draft.step(each["step"]).state in UNDER_WAY:
            draft.command(SetTimer(step=each["step"], kind=TimerKind(each["timer"]), due_at=draft.now))


def _unclaimed(draft: Draft) -> list[str]:
    """Return the steps that wait for a worker, in an order that does not depend on how they were read."""
    draft.require_whole()
    return sorted(path for path in draft.steps if _waits_for_worker(draft, path))


def _waits_for_worker(draft: Draft, path: str) -> bool:
    step = draft.step(path)
    if step.state is StepState.COMPENSATING:
        return step.attempt is None and step.due_at is None and not draft.graph[path].undone_by_child
    return step.state is StepState.SCHEDULED


def _ticket(draft: Draft, path: str) -> Dispatch:
    node, step = draft.graph[path], draft.step(path)
    undo = step.role is Role.COMPENSATION
    queue, timeout = (node.undo_queue, node.undo_timeout) if undo else (node.queue, node.timeout)
    return Dispatch(step=path, generation=step.generation, queue=queue, timeout=timeout)
