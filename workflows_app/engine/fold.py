"""Fold: what one event does to the stored state. Decisions and replay share it, so both reach the same state.

Counters (``needs_settled``, ``open_children``, ``open_steps``, those of an undo) are never in the history: settling
events, and the ends of undos, imply them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from workflows_app.engine import handing, retry, unwinding
from workflows_app.engine.definition.machine import MACHINE
from workflows_app.engine.definition.model import AdhocBody
from workflows_app.engine.events import Event, EventType
from workflows_app.engine.graph import Graph
from workflows_app.engine.instance_fold import INSTANCE_EVENTS
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.paths import indexes, split
from workflows_app.engine.snapshot import NOT_LOADED, AttemptSnapshot, InstanceSnapshot, StepSnapshot
from workflows_app.engine.states import AttemptState, Role, StepState


def no_other(version: str) -> Graph:
    """Stand in for the graphs of an instance that was never migrated."""
    raise KeyError(version)


class State:
    """The snapshots of one instance; a step without a row is pending.

    Args:
        graph: the definition's graph.
        instance: the instance's snapshot.
        steps: known rows by path.
        versions: gives the graphs of further versions of the workflow, where the instance may go on by another one.
    """

    def __init__(
        self,
        graph: Graph,
        instance: InstanceSnapshot,
        steps: Mapping[str, StepSnapshot],
        versions: Callable[[str], Graph] = no_other,
    ) -> None:
        self.graph = graph
        self.versions = versions
        self.instance = instance
        self.steps = dict(steps)
        self.attempts: dict[tuple[str, int], AttemptSnapshot] = {}

    def step(self, path: str) -> StepSnapshot:
        return self.steps.get(path) or StepSnapshot(path=path)

    def attempt(self, path: str, number: int) -> AttemptSnapshot:
        return self.attempts.get((path, number)) or AttemptSnapshot(step=path, number=number)

    def change(self, path: str, **fields: Any) -> None:
        self.steps[path] = replace(self.step(path), **fields)

    def reach(self, path: str) -> None:
        """Take notice of a node whose turn to be undone has come; what follows from it is a decision's business."""

    def apply(self, event: Event) -> None:
        """Apply one event; the engine's own events only, an unknown type is a KeyError."""
        self.instance = replace(self.instance, sequence=event.sequence)
        if event.step:
            _STEP[event.type](self, self.graph[event.step], event)
        else:
            INSTANCE_EVENTS[event.type](self, event)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _scheduled(state: State, node: Node, event: Event) -> None:
    step = state.step(node.path)
    changes: dict[str, Any] = {"generation": event.data["generation"], "due_at": None}
    if step.role is not Role.COMPENSATION:
        changes["state"] = StepState.SCHEDULED
    changes |= {key: event.data[key] for key in ("input", "idempotency_key") if key in event.data}
    if "input" in event.data:
        changes["input_from"] = None
    if (origin := event.data.get("input_from")) is not None:
        value, source = _source(state, origin["step"])
        changes["input"] = handing.together(event.data["input"], origin, value)
        changes["input_from"] = handing.reference(origin, source)
    state.change(node.path, **changes)


def _source(state: State, path: str | None) -> tuple[Any, Mapping[str, Any]]:
    """Return the value that a step's parameters are taken from, and where it stands."""
    if path is None:
        return state.instance.input, handing.INPUT
    step = state.step(path)
    return step.output, step.output_from or handing.written(step.settled or 0)


def _falling_back(state: State, node: Node, event: Event) -> None:
    _end_attempt(state, node, event)
    state.change(
        node.path,
        state=StepState.SCHEDULED,
        role=Role.FALLBACK,
        undo_input=event.data["input"],
        error_case=event.data.get("error_case"),
        generation=event.data["generation"],
        error=event.data["error"],
        failures=0,
        losses=0,
        limited=None,
        due_at=None,
    )


def _started(state: State, node: Node, event: Event) -> None:
    step = state.step(node.path)
    number = event.data["attempt"]
    changes: dict[str, Any] = {"attempt": number, "attempts": number}
    if step.role is not Role.COMPENSATION:
        changes["state"] = StepState.RUNNING
        changes["started_at"] = step.started_at or event.at
    state.change(node.path, **changes)
    state.attempts[node.path, number] = AttemptSnapshot(
        step=node.path, number=number, role=step.role, worker=event.data["worker"], started_at=event.at
    )


def _waiting(state: State, node: Node, event: Event) -> None:
    due = event.data.get("due_at")
    changes: dict[str, Any] = {
        "state": StepState.WAITING,
        "started_at": event.at,
        "due_at": None if due is None else _time(due),
        "open_children": len(node.children),
    }
    # What a call asked of another workflow; the items of a repeat.
    changes |= {key: event.data[key] for key in ("input", "generation") if key in event.data}
    if node.is_repeat:
        changes["planned"] = event.data.get("planned")
    state.change(node.path, **changes)
    if node.kind is NodeKind.ITERATION and node.transition is not None:
        _set_off(state, node.path)
    if node.kind is NodeKind.ITERATION and node.parent is not None:
        block = state.step(node.parent)
        state.change(block.path, opened=block.opened + 1, open_children=block.open_children + 1)
        if isinstance(node.step.body, AdhocBody):
            _picked(state, node, event)


def _picked(state: State, node: Node, event: Event) -> None:
    """A person began a member of an ad-hoc section: its plan says what is left, its runs how often each was begun."""
    section = state.step(node.parent or "")
    member, times = split(node.children[0])[1], indexes(node.path)[-1] + 1
    runs = {**section.input["runs"], member: times}
    state.change(section.path, input={**section.input, "plan": event.data["plan"], "runs": runs})


def _planned(state: State, node: Node, event: Event) -> None:
    state.change(node.path, input={**state.step(node.path).input, "plan": event.data["plan"]})


def _joining(state: State, node: Node, event: Event) -> None:
    state.change(node.path, due_at=_time(event.data["due_at"]))


def _stopping(state: State, node: Node, event: Event) -> None:
    state.change(node.path, stopping=True, error=event.data.get("error"))


def _end_attempt(state: State, node: Node, event: Event) -> None:
    """Close the running attempt as ``attempt_state`` says and keep what it teaches about the step's effect."""
    outcome = event.data.get("attempt_state")
    step = state.step(node.path)
    if outcome is None or step.attempt is None:
        return
    ended = AttemptState(outcome)
    state.attempts[node.path, step.attempt] = replace(
        state.attempt(node.path, step.attempt), state=ended, error=event.data.get("error"), ended_at=event.at
    )
    changes: dict[str, Any] = {"attempt": None}
    if ended is AttemptState.LOST:
        changes["losses"] = step.losses + 1
    else:
        changes["losses"] = 0
        if ended in (AttemptState.FAILED, AttemptState.TIMED_OUT):
            changes["failures"] = step.failures + 1
            changes["limited"] = retry.counted(step.limited, event.data.get("retry_limit"))
    if step.role is not Role.COMPENSATION:
        if ended is AttemptState.SUCCEEDED:
            changes["effect_unknown"] = False
        elif event.data.get("effect_unknown"):
            changes["effect_unknown"] = True
    state.change(node.path, **changes)


def _retrying(state: State, node: Node, event: Event) -> None:
    _end_attempt(state, node, event)
    changes: dict[str, Any] = {"due_at": _time(event.data["due_at"])}
    if state.step(node.path).role is not Role.COMPENSATION:
        changes["state"] = StepState.RETRYING
        changes["error"] = event.data["error"]
    else:
        changes["undo_error"] = event.data["error"]
    state.change(node.path, **changes)


def _hurried(state: State, node: Node, event: Event) -> None:
    state.change(node.path, due_at=event.at)


def _settled(target: StepState) -> Callable[[State, Node, Event], None]:
    def apply(state: State, node: Node, event: Event) -> None:
        _end_attempt(state, node, event)
        before = state.step(node.path)
        changes: dict[str, Any] = {
            "state": target,
            "settled": event.sequence,
            "ended_at": event.at,
            "due_at": None,
            "started_at": before.started_at or (event.at if target is StepState.COMPLETED else None),
            "error": event.data.get("error"),
        }
        for key in ("input", "output"):
            if key in event.data:
                changes[key] = event.data[key]
                changes[f"{key}_from"] = None
        if (passed := event.data.get("output_from")) is not None:
            # A decision that has not read the parameters has the output in hand, and says it itself.
            known = before.input is not NOT_LOADED
            output = handing.together(event.data["output"], passed, before.input) if known else NOT_LOADED
            changes |= {"output": output, "output_from": handing.reference(passed, before.input_from or {})}
        if event.data.get("effect_unknown"):
            changes["effect_unknown"] = True
        state.change(node.path, **changes)
        if event.data.get("held"):
            _hold(state, {"step": node.path})
        if "variables" in event.data:
            state.instance = replace(state.instance, variables={**state.instance.variables, **event.data["variables"]})
        if node.kind is NodeKind.ITERATION and node.transition is not None:
            state.instance = replace(state.instance, machine_transition=None)
        _count_down(state, node, before, target)

    return apply


def _hold(state: State, what: Mapping[str, Any]) -> None:
    state.instance = replace(state.instance, held=(*state.instance.held, what))


def _timer_held(state: State, node: Node, event: Event) -> None:
    _hold(state, {"step": node.path, "timer": event.data["timer"]})


def _count_down(state: State, node: Node, before: StepSnapshot, target: StepState) -> None:
    for successor in node.successors:
        step = state.step(successor)
        state.change(
            successor,
            needs_settled=step.needs_settled + 1,
            needs_completed=step.needs_completed + (target is StepState.COMPLETED),
        )
    if before.open_children and target is StepState.COMPLETED:
        # A race is decided while branches still run: the instance waits for them in its block's stead.
        state.instance = replace(state.instance, open_steps=state.instance.open_steps + before.open_children)
    parent = None if node.parent is None else state.step(node.parent)
    if parent is None or (parent.open_children and parent.state is StepState.COMPLETED):
        state.instance = replace(state.instance, open_steps=state.instance.open_steps - 1)
    if parent is not None and parent.open_children:
        failed = node.kind is NodeKind.ITERATION and target in (StepState.FAILED, StepState.TIMED_OUT)
        state.change(parent.path, open_children=parent.open_children - 1, failures=parent.failures + failed)


def _lost(state: State, node: Node, event: Event) -> None:
    _end_attempt(state, node, event)


def _compensating(state: State, node: Node, event: Event) -> None:
    state.change(
        node.path,
        state=StepState.COMPENSATING,
        role=Role.COMPENSATION,
        undo_input=event.data["input"],
        generation=event.data["generation"],
        failures=0,
        losses=0,
        limited=None,
    )


def _undone(target: StepState) -> Callable[[State, Node, Event], None]:
    def apply(state: State, node: Node, event: Event) -> None:
        _end_attempt(state, node, event)
        late = state.step(node.path).state is StepState.COMPENSATION_FAILED
        state.change(node.path, state=target, undo_error=event.data.get("error"), due_at=None, role=Role.COMPENSATION)
        instance = state.instance
        if late:
            # It had ended badly, and somebody else has seen to it since: that was counted and passed.
            state.instance = replace(instance, undo_failed=instance.undo_failed - 1)
            return
        failed = instance.undo_failed + (target is StepState.COMPENSATION_FAILED)
        state.instance = replace(instance, undone=instance.undone + 1, undo_failed=failed)
        unwinding.passed(state, node.path)

    return apply


def _undo_unneeded(state: State, node: Node, event: Event) -> None:
    """The condition of its undo did not hold: the step stays as it is, and the undo goes on behind it."""
    unwinding.passed(state, node.path)


def _undo_retried(state: State, node: Node, event: Event) -> None:
    instance = state.instance
    state.change(node.path, undo_error=None)
    state.instance = replace(instance, undone=instance.undone - 1, undo_failed=instance.undo_failed - 1)
    unwinding.again(state, node.path)


def _undo_skipped(state: State, node: Node, event: Event) -> None:
    state.change(node.path, undo_error=event.data["error"])


def _undoing(state: State, node: Node, event: Event) -> None:
    unwinding.iterations(state, node.path, event.data["iterations"])


def _set_off(state: State, path: str) -> None:
    """The event whose turn it was has set off a transition."""
    waiting = state.instance.machine_queue
    state.instance = replace(state.instance, machine_transition=path, machine_queue=waiting[1:])


def _event_accepted(state: State, node: Node, event: Event) -> None:
    waiting = (*state.instance.machine_queue, event.data["event"])
    state.instance = replace(state.instance, machine_queue=waiting)


def _event_refused(state: State, node: Node, event: Event) -> None:
    state.instance = replace(state.instance, machine_queue=state.instance.machine_queue[1:])


def _moved(state: State, node: Node, event: Event) -> None:
    due = event.data["due_at"]
    state.change(MACHINE, due_at=None if due is None else _time(due))
    waiting = state.instance.machine_queue[1 if event.data.get("queued") else 0 :]
    target = event.data["to"]
    state.instance = replace(state.instance, machine_state=target, machine_since=event.at, machine_queue=waiting)


def _undoing_before(state: State, node: Node, event: Event) -> None:
    state.change(node.path, state=StepState.WAITING, started_at=event.at)
    state.instance = replace(state.instance, undone=0, undo_failed=0)


def _undone_before(state: State, node: Node, event: Event) -> None:
    state.instance = replace(state.instance, undone=0, undo_failed=0)


_STEP: Mapping[EventType, Callable[[State, Node, Event], None]] = {
    EventType.STEP_SCHEDULED: _scheduled,
    EventType.STEP_STARTED: _started,
    EventType.STEP_WAITING: _waiting,
    EventType.STEP_RETRYING: _retrying,
    EventType.STEP_HURRIED: _hurried,
    EventType.STEP_JOINING: _joining,
    EventType.STEP_FALLING_BACK: _falling_back,
    EventType.STEP_STOPPING: _stopping,
    EventType.STEP_COMPLETED: _settled(StepState.COMPLETED),
    EventType.STEP_FAILED: _settled(StepState.FAILED),
    EventType.STEP_TIMED_OUT: _settled(StepState.TIMED_OUT),
    EventType.STEP_SKIPPED: _settled(StepState.SKIPPED),
    EventType.STEP_CANCELLED: _settled(StepState.CANCELLED),
    EventType.STEP_UNDOING: _undoing,
    EventType.STEP_COMPENSATING: _compensating,
    EventType.STEP_COMPENSATED: _undone(StepState.COMPENSATED),
    EventType.STEP_COMPENSATION_FAILED: _undone(StepState.COMPENSATION_FAILED),
    EventType.STEP_UNDO_UNNEEDED: _undo_unneeded,
    EventType.STEP_UNDO_RETRIED: _undo_retried,
    EventType.STEP_UNDO_SKIPPED: _undo_skipped,
    EventType.SECTION_ADDED: _planned,
    EventType.SECTION_SKIPPED: _planned,
    EventType.ATTEMPT_LOST: _lost,
    EventType.TIMER_HELD: _timer_held,
    EventType.MACHINE_EVENT_ACCEPTED: _event_accepted,
    EventType.MACHINE_EVENT_REFUSED: _event_refused,
    EventType.MACHINE_MOVED: _moved,
    EventType.MACHINE_UNDOING: _undoing_before,
    EventType.MACHINE_UNDONE: _undone_before,
}
