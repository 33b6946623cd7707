"""The nodes of a state machine: one container, in which every event that sets off a transition is an iteration.

``machine`` is the only step of the outermost list. The iterations in it are called after their transitions:
``order_paid[4]`` is the machine's fifth transition, and what it consists of stands in it one after the other: the
actions of ``do``, the ``move``, the actions of ``then``. So claims, retries, leases, time-outs, undo, history and
replay are those of every other step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from workflows_app.engine.definition.machine import MACHINE, MOVE, Machine, Transition
from workflows_app.engine.definition.model import ActivityBody, Definition, Kind, Retry, SetBody, Step
from workflows_app.engine.node import DEFAULT_TIMEOUT, Node, NodeKind
from workflows_app.engine.priority import LEVELS


def flatten(
    definition: Definition, machine: Machine, activities: Mapping[str, Mapping[str, Any]], iteration: str
) -> Iterator[Node]:
    """Yield the nodes as they are written.

    Args:
        definition: for its defaults.
        machine: the one that it describes.
        activities: what activity names resolved to when the definition was published.
        iteration: the ending of the path under which a written iteration is known.
    """
    order = count()
    itself = Step(id=MACHINE, kind=Kind.SET, body=SetBody(assignments={}))
    yield _node(MACHINE, NodeKind.MACHINE, next(order), None, itself, transition=None)
    for transition in machine.transitions:
        path = f"{transition.id}{iteration}"
        move = Step(id=MOVE, kind=Kind.SET, body=SetBody(assignments=transition.assignments))
        steps = [*transition.before, move, *transition.after]
        names = [step.id for step in steps]
        part = Step(id=transition.id, kind=Kind.SET, body=SetBody(assignments={}), name=transition.name)
        yield _node(path, NodeKind.ITERATION, next(order), MACHINE, part, transition, lists=(tuple(names),))
        for place, step in enumerate(steps):
            is_move = step is move
            yield _node(
                f"{path}.{step.id}",
                NodeKind.MOVE if is_move else NodeKind.ACTIVITY,
                next(order),
                path,
                step,
                transition,
                needs=tuple(names[place - 1 : place] if place else ()),
                successors=tuple(names[place + 1 : place + 2]),
                retry=None if is_move else step.retry or definition.default_retry,
                timeout=step.timeout or _timeout(definition, step, activities) or DEFAULT_TIMEOUT,
                priority=LEVELS[step.priority or definition.priority],
            )


def _timeout(definition: Definition, step: Step, activities: Mapping[str, Mapping[str, Any]]) -> float | None:
    """The activity's own, then the definition's default."""
    name = step.body.activity if isinstance(step.body, ActivityBody) else ""
    return activities.get(name, {}).get("timeout") or definition.default_timeout


def _node(
    path: str,
    kind: NodeKind,
    order: int,
    parent: str | None,
    step: Step,
    transition: Transition | None,
    *,
    needs: tuple[str, ...] = (),
    successors: tuple[str, ...] = (),
    lists: tuple[tuple[str, ...], ...] = (),
    retry: Retry | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    priority: int = 0,
) -> Node:
    return Node(
        path=path,
        kind=kind,
        order=order,
        parent=parent,
        needs=needs,
        successors=successors,
        lists=lists,
        step=step,
        retry=retry,
        timeout=timeout,
        depth=0 if parent is None else 1,
        priority=priority,
        transition=transition,
    )
