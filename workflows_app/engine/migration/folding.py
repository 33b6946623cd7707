"""Fold, the event of a migration: rows of steps that are gone go, those of renamed ones move, what waits is counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from workflows_app.engine import idempotency
from workflows_app.engine.events import Event
from workflows_app.engine.graph import Graph
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.states import STEP_OPEN, InstanceState, StepState

if TYPE_CHECKING:
    from workflows_app.engine.fold import State


def apply(state: State, event: Event) -> None:
    """Let the instance be on the version that the event names."""
    data, old = event.data, state.graph
    new = state.versions(data["to"])
    before = _open(state, old.roots)
    _drop(state, data["gone"])
    moved = {path: (old[path], state.steps.pop(path)) for path in data["moved"]}
    for path, (node, row) in moved.items():
        key = row.idempotency_key
        if key is None and node.kind is NodeKind.ACTIVITY:
            # Other systems know what it does under its name of then.
            key = idempotency.default(state.instance.id, path, row.rerun)
        name = data["moved"][path]
        state.steps[name] = replace(row, path=name, idempotency_key=key)
    state.graph = new
    names = {name: path for path, name in data["moved"].items()}
    for path, node in new.nodes.items():
        _count(state, node)
        _forget_limits(state, node, old, names.get(path, path))
    for path in data["anew"]:
        state.change(path, input=None, input_from=None)
    instance = state.instance
    kept = {name: value for name, value in instance.variables.items() if name not in data["dropped"]}
    state.instance = replace(
        instance,
        version=data["to"],
        variables={**kept, **data["variables"]},
        overrides=data.get("overrides", instance.overrides),
        held=tuple({**each, "step": data["moved"].get(each["step"], each["step"])} for each in instance.held),
        open_steps=0
        if instance.state is InstanceState.PENDING
        else instance.open_steps - before + _open(state, new.roots),
    )


def _open(state: State, paths: Iterable[str]) -> int:
    return sum(state.step(path).state in STEP_OPEN for path in paths)


def _drop(state: State, gone: Iterable[str]) -> None:
    """Let rows go, and those of the iterations of a block with it; attempts stay, as a record."""
    for path in gone:
        state.steps.pop(path, None)
        for other in [each for each in state.steps if each.startswith((f"{path}[", f"{path}-"))]:
            del state.steps[other]


def _count(state: State, node: Node) -> None:
    """Count anew what a step waits for, or what is open in a block; iterations count as they did."""
    step = state.step(node.path)
    changes: dict[str, Any] = {}
    if step.state is StepState.PENDING:
        needs = [state.step(need).state for need in node.needs]
        changes["needs_settled"] = sum(need not in STEP_OPEN for need in needs)
        changes["needs_completed"] = needs.count(StepState.COMPLETED)
        if node.join.deadline is None:
            changes["due_at"] = None
    elif step.state is StepState.WAITING and node.is_container and not node.is_repeat:
        changes["open_children"] = _open(state, node.children)
    if any(getattr(step, name) != value for name, value in changes.items()):
        state.change(node.path, **changes)


def _forget_limits(state: State, node: Node, old: Graph, name: str) -> None:
    """Let failures count against the whole policy only, where the limits that they are kept by are others."""
    if node.path not in state.steps or state.step(node.path).limited is None:
        return
    before = old.nodes[name].retry
    if node.retry is None or before is None or node.retry.limits != before.limits:
        state.change(node.path, limited=None)
