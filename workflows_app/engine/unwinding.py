"""Unwinding: how far an undo has come back through the graph; counters on rows say so, and the history implies them.

The undo walks the graph backwards: a node's turn comes when all that depended on it has been passed. What has nothing
to undo is passed at once, a step that has when its undo has ended, well or not, a block when everything in it has been
passed. No event tells of a node that is passed: as with the joins on the way forward, ``fold`` counts.

``undo_settled`` of a row counts the followers that have been passed, ``undo_open`` of a block what is left inside,
``undo_left`` of one that repeats the iterations whose turn has not come; ``undo_open`` of the instance what is left
of the outermost list.

An undo that failed has been passed like one that worked. Where an operator has it run again, that is one more which the
instance's ``undo_open`` waits for, and ``undo_open`` of the step itself says so: nothing is passed a second time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from enum import Enum, auto
from typing import TYPE_CHECKING

from workflows_app.engine import rewinding
from workflows_app.engine.compensation import Order, needs_undo
from workflows_app.engine.snapshot import StepSnapshot

if TYPE_CHECKING:
    from workflows_app.engine.fold import State


class _At(Enum):
    """What happens to a node: its turn has come, or the undo has left it behind."""

    TURN = auto()
    PASSED = auto()


Walk = deque[tuple[_At, str]]


def begin(state: State) -> None:
    """Begin at the nodes of the outermost list that nothing depended on; of a rewind, at those that it takes back."""
    order, scope = state.graph.undo_order, rewinding.scope_of(state)
    state.instance = replace(state.instance, undo_open=order.inside(None, scope))
    _walk(state, ((_At.TURN, path) for path in order.last(None) if scope is None or path in scope))


def forget(state: State) -> None:
    """Let nothing be left of how far an undo has come: it passed steps as well that had not begun.

    Every row there is must be at hand.
    """
    for path, step in list(state.steps.items()):
        if step.undo_settled or step.undo_open or step.undo_left:
            state.change(path, undo_settled=0, undo_open=0, undo_left=0)


def again(state: State, path: str) -> None:
    """Wait once more for the undo of a step that has been passed."""
    state.change(path, undo_open=1)
    state.instance = replace(state.instance, undo_open=state.instance.undo_open + 1)


def is_again(step: StepSnapshot) -> bool:
    """Whether a step that was passed is being undone once more."""
    return step.undo_open > 0


def passed(state: State, path: str) -> None:
    """Go on behind a step whose undo has ended."""
    if is_again(state.step(path)):
        state.change(path, undo_open=0)
        state.instance = replace(state.instance, undo_open=state.instance.undo_open - 1)
    elif state.graph.definition.machine is None:
        _walk(state, [(_At.PASSED, path)])


def iterations(state: State, path: str, number: int) -> None:
    """Let it be the turn of the next ``number`` iterations of a block, the last first."""
    block = state.step(path)
    left = block.undo_left - number
    state.change(path, undo_left=left, undo_open=block.undo_open + number)
    order = state.graph.undo_order
    numbers = range(block.undo_left - 1, left - 1, -1)
    _walk(state, ((_At.TURN, order.iteration(path, number)) for number in numbers))


def _walk(state: State, first: Iterable[tuple[_At, str]]) -> None:
    order: Order = state.graph.undo_order
    walk: Walk = deque(first)
    while walk:
        at, path = walk.popleft()
        if at is _At.TURN:
            _turn(state, order, path, walk)
        else:
            _pass(state, order, path, walk)


def _turn(state: State, order: Order, path: str, walk: Walk) -> None:
    node = order.node(path)
    if order.is_junction(path):
        walk.append((_At.PASSED, path))
    elif not node.is_container:
        if needs_undo(node, state.step(path)):
            state.reach(path)
        else:
            walk.append((_At.PASSED, path))
    elif node.is_repeat:
        begun = order.iterations(path, state.step(path).opened)
        if begun:
            state.change(path, undo_left=begun)
            state.reach(path)
        else:
            walk.append((_At.PASSED, path))
    elif not path.endswith("]") and state.step(path).started_at is None:
        # It never opened, so there is nothing inside.
        walk.append((_At.PASSED, path))
    else:
        if order.inside(path) > 1:
            state.change(path, undo_open=order.inside(path))
        walk.extend((_At.TURN, inner) for inner in order.last(path))


def _pass(state: State, order: Order, path: str, walk: Walk) -> None:
    scope = rewinding.scope_of(state)
    for earlier in order.earlier(path):
        if scope is not None and earlier not in scope and order.parent(earlier) is None:
            continue  # a rewind stops before it
        awaited = order.followers(earlier)
        if awaited > 1:
            settled = state.step(earlier).undo_settled + 1
            state.change(earlier, undo_settled=settled)
            if settled < awaited:
                continue
        walk.append((_At.TURN, earlier))
    if not order.is_junction(path):
        _leave(state, order, order.parent(path), walk)


def _leave(state: State, order: Order, block: str | None, walk: Walk) -> None:
    """Count down a block in which a node was passed."""
    if block is None:
        state.instance = replace(state.instance, undo_open=state.instance.undo_open - 1)
        return
    repeats = order.node(block).is_repeat
    if repeats or order.inside(block) > 1:
        step = state.step(block)
        state.change(block, undo_open=step.undo_open - 1)
        if step.undo_left:
            state.reach(block)
        if step.undo_open > 1 or step.undo_left:
            return
    walk.append((_At.PASSED, block))
