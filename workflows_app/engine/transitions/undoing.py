"""Undoing: after everything has drained, what was done is compensated, each step after every step that depended on it.

Steps that do not depend on each other are undone side by side. Which step's turn has come is counted where events are
folded in (``unwinding``); here it is given its turn. The iterations of a ``foreach`` are undone in portions, as they
began; those of a ``loop`` one after the other, the last first.

A transition of a state machine that says so does the same with what was done before it (``retracing``); the instance
goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from workflows_app.engine import unwinding
from workflows_app.engine.commands import ClearTimers, Dispatch, SetTimer, TimerKind, Withdraw
from workflows_app.engine.compensation import needs_undo
from workflows_app.engine.definition.machine import MACHINE, MOVE
from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.events import EventType
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.paths import indexes
from workflows_app.engine.snapshot import StepSnapshot
from workflows_app.engine.states import AttemptState, Cause, InstanceState, Role, StepState
from workflows_app.engine.transitions import repeating, retracing, scouting, stopping, telling
from workflows_app.engine.transitions.draft import Draft, Look, holds
from workflows_app.engine.transitions.problems import error_of


def begin(draft: Draft) -> bool:
    """Begin the undo; ``False`` if there is nothing to undo."""
    draft.require_whole()
    if not _has_something(draft):
        return False
    _record(draft, EventType.INSTANCE_COMPENSATING)
    _go_on_from_the_end(draft)
    return True


def undo_completed(draft: Draft, *, cause: Cause, error: Mapping[str, Any]) -> None:
    """Undo an instance that had completed, as a part of undoing the one that called it; there may be nothing to do."""
    draft.require_whole()
    _record(draft, EventType.INSTANCE_COMPENSATING, cause=cause, error=dict(error))
    _go_on_from_the_end(draft)


def _has_something(draft: Draft) -> bool:
    if _is_machine(draft):
        return retracing.last(draft) is not None
    if any(needs_undo(draft.graph.undo_order.node(path), step) for path, step in draft.steps.items()):
        return True
    return draft.graph.undoable_inside and not draft.before.complete and draft.undo_inside()


def _go_on_from_the_end(draft: Draft) -> None:
    if _is_machine(draft):
        _retrace(draft, retracing.last(draft))
    else:
        _give_turns(draft)


def begin_rewind(draft: Draft, **facts: Any) -> None:
    """Undo what a rewind takes back; every row is at hand."""
    draft.emit(EventType.INSTANCE_REWINDING, **facts)
    _give_turns(draft)


def begin_before(draft: Draft, move: Node) -> bool:
    """Begin to undo what a state machine did before the transition at hand.

    Returns:
        ``False`` if there is nothing to undo.
    """
    node = retracing.before_transition(draft, indexes(move.path)[-1])
    if node is None:
        return False
    draft.emit(EventType.MACHINE_UNDOING, move.path)
    _retrace(draft, node)
    return True


def succeeded(draft: Draft, node: Node, output: Any) -> None:
    undone(draft, node, attempt_state=AttemptState.SUCCEEDED, output=output)


def undone(draft: Draft, node: Node, **facts: Any) -> None:
    """Record an undo that worked, and go on with what waited for it."""
    _ended(draft, EventType.STEP_COMPENSATED, node, **facts)


def failed(draft: Draft, node: Node, problem: Mapping[str, Any], **facts: Any) -> None:
    """Record an undo that did not work, with further facts for the event, and go on with the rest."""
    _ended(draft, EventType.STEP_COMPENSATION_FAILED, node, error=dict(problem), **facts)


def again(draft: Draft, node: Node) -> None:
    """Begin the undo of a step once more, behind which the undo has gone on long ago."""
    step = draft.values_of(node.path)
    if step.undo_input is None:
        _start(draft, node)  # its parameters could not be evaluated; perhaps they can be now
        _end_if_over(draft)
    else:
        # The parameters are those that its idempotency key has been used with.
        _send(draft, node, step.undo_input)


def is_again(draft: Draft) -> bool:
    """Whether nothing is being undone but what an operator has undone once more; every row in flight is at hand."""
    under_way = (step for step in draft.steps.values() if step.state is StepState.COMPENSATING)
    return draft.instance.state is InstanceState.COMPENSATING and any(map(unwinding.is_again, under_way))


def precedes(draft: Draft, later: str, earlier: str) -> bool:
    """Say whether one step's undo has to end before the other one's begins."""
    if _is_machine(draft):
        return retracing.place(draft, later) > retracing.place(draft, earlier)
    return draft.graph.undo_order.depends(later, earlier)


def seen_to(draft: Draft, node: Node, **facts: Any) -> None:
    """Record that a step was undone, though not by its own undo; with the last one the instance is compensated."""
    draft.emit(EventType.STEP_COMPENSATED, node.path, **facts)
    if draft.instance.state is InstanceState.COMPENSATION_FAILED and not draft.instance.undo_failed:
        if draft.instance.rewind is not None:
            draft.emit(EventType.INSTANCE_COMPENSATING, again=True)
        _end(draft)


def go_on_inside(draft: Draft, block: Node) -> None:
    """Undo the next iterations of a ``foreach`` although many of those before have not ended."""
    _open_more(draft, block, waited=True)
    _give_turns(draft)


def _ended(draft: Draft, kind: EventType, node: Node, **facts: Any) -> None:
    again = unwinding.is_again(draft.step(node.path))
    _record(draft, kind, node.path, **facts)
    if not _is_machine(draft):
        _give_turns(draft)
    elif again:
        _end_if_over(draft)
    else:
        _retrace(draft, retracing.before(draft, node.path))


def _is_machine(draft: Draft) -> bool:
    return draft.graph.definition.machine is not None


def _record(draft: Draft, kind: EventType, path: str = "", **data: Any) -> None:
    """Record an event that may let others have their turn; all rows that it touches are asked for at once."""
    if not _is_machine(draft):
        scouting.ask_ahead(draft, kind, path, data)
    draft.emit(kind, path, **data)


# ---------------------------------------------------------------- side by side
def _give_turns(draft: Draft) -> None:
    """Begin every undo whose turn has come, the latest completed first; with the last one the instance ends."""
    while draft.reached:
        turn = [draft.graph[path] for path in draft.reached]
        draft.reached.clear()
        steps = [node for node in turn if not node.is_repeat]
        draft.need_values({path for node in steps for path in _reads(draft, node)})
        for node in sorted(steps, key=lambda node: -(draft.step(node.path).settled or 0)):
            _start(draft, node)
        for node in turn:
            if node.is_repeat:
                _open_more(draft, node)
    _end_if_over(draft)


def _reads(draft: Draft, node: Node) -> set[str]:
    if node.undone_by_child:
        return set()
    condition = node.undo_when.reads if node.undo_when is not None else frozenset()
    return {node.path, *draft.graph.reads(node, node.undo_parameters.reads | condition)}


def _open_more(draft: Draft, node: Node, *, waited: bool = False) -> None:
    """Undo the next iterations of a block that repeats, if there are not too many under way.

    Args:
        waited: whether a ``foreach`` has waited long enough for those before.
    """
    block = draft.step(node.path)
    number = _room(node, block, waited=waited)
    if number <= 0:
        return
    if len(draft.events) >= repeating.EVENTS_AT_ONCE:
        draft.command(SetTimer(step=node.path, kind=TimerKind.REPEAT, due_at=draft.now))
        return
    _record(draft, EventType.STEP_UNDOING, node.path, iterations=number)
    if number == block.undo_left:
        draft.command(ClearTimers(step=node.path))
    elif node.kind is NodeKind.FOREACH:
        most = node.foreach.max_concurrency
        if most is None or block.undo_open + number < most:
            due = draft.now + (repeating.PATIENCE if most is None else timedelta())
            draft.command(SetTimer(step=node.path, kind=TimerKind.REPEAT, due_at=due))


def _room(node: Node, block: StepSnapshot, *, waited: bool) -> int:
    if node.kind is NodeKind.LOOP:
        return min(block.undo_left, 1 - block.undo_open)
    if node.kind is NodeKind.ADHOC:
        return min(block.undo_left, repeating.PORTION) if block.undo_open <= repeating.REFILL else 0
    most = node.foreach.max_concurrency
    if not (waited and most is None) and block.undo_open > repeating.lowest(node):
        return 0
    room = repeating.PORTION if most is None else min(repeating.PORTION, most - block.undo_open)
    return min(block.undo_left, room)


# ---------------------------------------------------------------- one after the other
def go_on_retracing(draft: Draft) -> None:
    """Go on with what a state machine undoes before a move, where a pause held it up between two actions."""
    transition = draft.instance.machine_transition
    if transition is None or draft.step(f"{transition}.{MOVE}").state is not StepState.WAITING:
        return
    if not any(step.state is StepState.COMPENSATING for step in draft.steps.values()):
        _retrace(draft, retracing.before_transition(draft, indexes(transition)[-1], again=False))


def _retrace(draft: Draft, node: Node | None) -> None:
    """Begin the undo of one action after the other until one is under way; then end, or let the machine move."""
    if draft.paused:
        return
    goes_on = draft.instance.state is not InstanceState.COMPENSATING
    while node is not None and not (goes_on and draft.instance.ending is not None):
        _start(draft, node)
        if draft.step(node.path).state is StepState.COMPENSATING:
            return
        node = retracing.before(draft, node.path)
    if goes_on:
        draft.look_next(Look.UNDONE, MACHINE)
    else:
        _end(draft)


# ---------------------------------------------------------------- both
def _start(draft: Draft, node: Node) -> None:
    if node.undone_by_child:
        draft.emit(EventType.STEP_COMPENSATING, node.path, input=None, generation=draft.step(node.path).generation)
        telling.undo(draft, node)
        return
    step = draft.values_of(node.path)
    # A step that ended by `on_error: {output}` has a substitute for an output; what it really did is unknown.
    output = None if step.error is not None and step.role is not Role.FALLBACK else step.output
    problem = draft.instance.error
    names = {"output": output, "with": step.input, "error": None if problem is None else dict(problem)}
    try:
        if not _is_needed(draft, node, step, names):
            _record(draft, EventType.STEP_UNDO_UNNEEDED, node.path)
            return
        parameters = draft.evaluate(node.undo_parameters, node, names)
    except OrchestratorError as broken:
        draft.emit(EventType.STEP_COMPENSATING, node.path, input=None, generation=step.generation + 1)
        _record(draft, EventType.STEP_COMPENSATION_FAILED, node.path, error=error_of(broken))
        return
    _send(draft, node, parameters)


def _is_needed(draft: Draft, node: Node, step: StepSnapshot, names: Mapping[str, Any]) -> bool:
    """Ask the condition of an undo; not of one that has failed: whoever lets it run once more has decided that.

    Raises:
        OrchestratorError: it cannot be evaluated, or is neither true nor false.
    """
    if node.undo_when is None or step.state is StepState.COMPENSATION_FAILED:
        return True
    return holds(draft.evaluate(node.undo_when, node, names))


def _send(draft: Draft, node: Node, parameters: Any) -> None:
    generation = draft.step(node.path).generation + 1
    draft.emit(EventType.STEP_COMPENSATING, node.path, input=parameters, generation=generation)
    draft.command(dispatch(node, generation))


def dispatch(node: Node, generation: int) -> Dispatch:
    return Dispatch(step=node.path, generation=generation, queue=node.undo_queue, timeout=node.undo_timeout)


def _end_if_over(draft: Draft) -> None:
    if draft.instance.undo_open == 0:
        _end(draft)


def _end(draft: Draft) -> None:
    """End with the truth about all undos; where all worked that a rewind asked for, it has come to its end.

    Where no step needed its undo, the instance ends as if none had one.
    """
    if draft.instance.undo_failed:
        draft.emit(EventType.INSTANCE_COMPENSATION_FAILED)
    elif draft.instance.rewind is not None:
        draft.look_next(Look.REWOUND, draft.instance.rewind["to"])
    elif draft.instance.undone or draft.instance.ending is None:
        draft.emit(EventType.INSTANCE_COMPENSATED)
    else:
        stopping.end(draft)


def end_at_once(draft: Draft, problem: Mapping[str, Any]) -> None:
    """Fence off every undo under way: it is left undone, and says so; no other begins."""
    under_way = [path for path, step in draft.steps.items() if step.state is StepState.COMPENSATING]
    for path in sorted(under_way):
        node, step = draft.graph[path], draft.step(path)
        if telling.is_waited_for(node, step):
            telling.terminate(draft, node)
        ended = {} if step.attempt is None else {"attempt_state": AttemptState.CANCELLED}
        draft.command(Withdraw(step=path))
        draft.command(ClearTimers(step=path))
        _record(draft, EventType.STEP_COMPENSATION_FAILED, path, error=dict(problem), **ended)
    for path in sorted(path for path, step in draft.steps.items() if step.undo_left):
        draft.command(ClearTimers(step=path))
    draft.reached.clear()
