"""Flattening: the steps of a definition, nested as they are written, become nodes that name each other by path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from workflows_app.engine import callee, machine_nodes, needs
from workflows_app.engine.definition.model import (
    ActivityBody,
    AdhocBody,
    CallBody,
    ChoiceBody,
    Definition,
    ForeachBody,
    Kind,
    LoopBody,
    ParallelBody,
    Step,
)
from workflows_app.engine.node import DEFAULT_TIMEOUT, Node, NodeKind
from workflows_app.engine.paths import ITERATION, chosen
from workflows_app.engine.priority import LEVELS


def flatten(
    definition: Definition, activities: Mapping[str, Mapping[str, Any]], calls: Mapping[str, Mapping[str, Any]]
) -> Iterator[Node]:
    """Yield the nodes of a definition as they are written.

    Args:
        definition: a parsed definition.
        activities: what activity names resolved to when the definition was published.
        calls: what the workflows that it calls resolved to.
    """
    if definition.machine is not None:
        yield from machine_nodes.flatten(definition, definition.machine, activities, ITERATION)
        return
    counter = count()
    resolver = needs.Resolver(definition)

    def default_timeout(step: Step) -> float | None:
        """The activity's own, then the definition's default."""
        name = step.body.activity if isinstance(step.body, ActivityBody) else ""
        return activities.get(name, {}).get("timeout") or definition.default_timeout

    def part(step: Step, path: str, kind: NodeKind, inner: tuple[Step, ...], depth: int) -> Iterator[Node]:
        """A branch or an iteration, and the steps in it."""
        yield Node(
            path=path,
            kind=kind,
            order=next(counter),
            parent=step.id,
            needs=(),
            successors=(),
            lists=(tuple(s.id for s in inner),),
            step=step,
            retry=None,
            timeout=DEFAULT_TIMEOUT,
            depth=depth,
        )
        yield from steps_of(inner, path, depth)

    def steps_of(steps: tuple[Step, ...], parent: str | None, depth: int) -> Iterator[Node]:
        waits = resolver.resolve(steps)
        successors: dict[str, list[str]] = {step.id: [] for step in steps}
        for step in steps:
            for need in waits[step.id].all:
                successors[need].append(step.id)
        for step in steps:
            order = next(counter)
            lists: tuple[tuple[str, ...], ...] = ()
            match step.body:
                case ChoiceBody():
                    lists = tuple(tuple(s.id for s in case.steps) for case in step.body.cases)
                case ParallelBody():
                    lists = (tuple(step.body.branches),)
            activity = step.kind is Kind.ACTIVITY
            # The time that a call may take is a deadline; attempts are made of its undo only.
            timeout = None if step.kind is Kind.CALL else step.timeout
            called = step.body if isinstance(step.body, CallBody) else None
            yield Node(
                path=step.id,
                kind=NodeKind(step.kind.value),
                order=order,
                parent=parent,
                needs=waits[step.id].all,
                inferred=waits[step.id].inferred,
                successors=tuple(successors[step.id]),
                lists=lists,
                step=step,
                retry=(step.retry or definition.default_retry) if activity else step.retry,
                timeout=timeout or (default_timeout(step) if activity else None) or DEFAULT_TIMEOUT,
                depth=depth,
                priority=LEVELS[step.priority or definition.priority],
                callee=callee.of(called.workflow, called.version, calls) if called else None,
            )
            match step.body:
                case ChoiceBody():
                    for case in step.body.cases:
                        yield from steps_of(case.steps, step.id, depth)
                case ParallelBody():
                    for name, inner in step.body.branches.items():
                        yield from part(step, name, NodeKind.BRANCH, inner, depth)
                case ForeachBody() | LoopBody():
                    yield from part(step, step.id + ITERATION, NodeKind.ITERATION, step.body.steps, depth + 1)
                case AdhocBody():
                    for member in step.body.steps:
                        path = chosen(step.id, member.id) + ITERATION
                        yield from part(step, path, NodeKind.ITERATION, (member,), depth + 1)

    yield from steps_of(definition.steps, None, 0)
