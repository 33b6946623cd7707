"""Retracing: a state machine undoes along the path that it took, backwards, one action after the other.

The path needs no list: iterations are numbered by the machine, and of each number only one transition's actions have
rows. The one before an action is looked for in portions that double, so that a long stretch without anything to undo
is asked for in few.
"""

from __future__ import annotations

from workflows_app.engine.compensation import needs_undo
from workflows_app.engine.definition.machine import MACHINE
from workflows_app.engine.node import Node
from workflows_app.engine.paths import ITERATION, indexes, iteration_of
from workflows_app.engine.states import StepState
from workflows_app.engine.transitions.draft import Draft

FIRST = 8
"""How many transitions are looked at first."""


def last(draft: Draft) -> Node | None:
    """Return the last action that is to be undone, ``None`` where there is nothing to undo."""
    return before_transition(draft, draft.step(MACHINE).opened)


def before(draft: Draft, path: str) -> Node | None:
    """Return the action to undo after the one at ``path``."""
    around = iteration_of(path) or ""
    earlier = [inner for inner in _actions(draft, around) if draft.graph[inner].order < draft.graph[path].order]
    return _latest(draft, earlier) or before_transition(draft, indexes(path)[-1])


def before_transition(draft: Draft, number: int, *, again: bool = True) -> Node | None:
    """Return the last action to undo of the transitions before the one of this number.

    Args:
        again: whether one whose undo has failed before is undone once more.
    """
    portion = FIRST
    while number > 0:
        numbers = range(number - 1, max(number - portion, 0) - 1, -1)
        around = [f"{each}[{index}]" for index in numbers for each in _transitions(draft)]
        paths = [path for iteration in around for path in _actions(draft, iteration)]
        found = _latest(draft, paths, again=again)
        if found is not None:
            return found
        number, portion = numbers[-1], portion * 2
    return None


def _transitions(draft: Draft) -> list[str]:
    """Return the names of the transitions of which something may have to be undone."""
    written = draft.graph.written
    around = dict.fromkeys(node.parent or "" for node in written.values() if node.has_undo)
    return [name.removesuffix(ITERATION) for name in around]


def _actions(draft: Draft, iteration: str) -> list[str]:
    """Return the actions in an iteration that may have to be undone."""
    written = draft.graph.written
    name = iteration.rpartition("[")[0]
    inside = written[f"{name}{ITERATION}"].children
    return [f"{iteration}.{each}" for each in inside if written[f"{name}{ITERATION}.{each}"].has_undo]


def _latest(draft: Draft, paths: list[str], *, again: bool = True) -> Node | None:
    """Return, of actions in any order of their transitions, the last that is to be undone."""
    draft.need_rows(paths)
    able = [path for path in paths if needs_undo(draft.graph[path], draft.step(path))]
    able = [path for path in able if again or draft.step(path).state is not StepState.COMPENSATION_FAILED]
    if not able:
        return None
    return draft.graph[max(able, key=lambda path: place(draft, path))]


def place(draft: Draft, path: str) -> tuple[int, int]:
    """Return where on the machine's path an action stands, to be compared with another one's."""
    return indexes(path)[-1], draft.graph[path].order
