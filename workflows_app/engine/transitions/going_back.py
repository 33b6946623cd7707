"""Going back: an operator takes an instance back to a step; what came after it is undone, and may run again from there.

It stands paused then, so that variables can be changed before it is resumed. A *rerun* is the same with the step itself
among what is taken back, and goes on at once. What a rewind takes back is in ``rewinding``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from workflows_app.engine import reopening, rewinding
from workflows_app.engine.commands import ClearTimers
from workflows_app.engine.compensation import needs_undo
from workflows_app.engine.errors import OrchestratorError, StateForbids
from workflows_app.engine.events import EventType
from workflows_app.engine.node import Node, NodeKind
from workflows_app.engine.states import STEP_OPEN, InstanceState, StepState
from workflows_app.engine.transitions import entering, operating, pausing, retrying, stopping, undoing
from workflows_app.engine.transitions.draft import Draft
from workflows_app.engine.transitions.occurrences import Rewind
from workflows_app.engine.transitions.problems import error_of

ABLE = (InstanceState.COMPLETED, InstanceState.FAILED, InstanceState.PAUSED)
WHY_NOT: Mapping[InstanceState, str] = {
    InstanceState.PENDING: "it has not begun",
    InstanceState.RUNNING: "pause it first",
    InstanceState.COMPENSATING: "it is being undone",
    InstanceState.CANCELLED: "it was cancelled on request; start a new one",
    InstanceState.TERMINATED: "what it left nobody knows; start a new one",
    InstanceState.COMPENSATED: "all of it was undone; start a new one",
    InstanceState.COMPENSATION_FAILED: "see to the undos that failed",
}
IN_FLIGHT = STEP_OPEN - {StepState.PENDING}


def rewind(draft: Draft, occurrence: Rewind) -> None:
    """Take an instance back to a step.

    Raises:
        NotFound: STEP_NOT_FOUND.
        StateForbids: the instance cannot be taken back, or something that has happened in it cannot be.
        InputInvalid: UNKNOWN_VARIABLE, or variables that are too large.
    """
    node = operating.find(draft, occurrence.step)
    _require_able(draft)
    _require_outermost(draft, node)
    draft.require_complete()
    names = rewinding.scope(draft.graph, node.path, including=occurrence.including)
    inside = list(rewinding.inside(draft.graph, names))
    _require_begun(draft, node, inside, including=occurrence.including)
    _require_revocable(draft, inside)
    _require_alone(draft, {each.path for each in inside})
    pending, open_ = _ended_by_failure(draft, occurrence, {each.path for each in inside})
    facts: dict[str, Any] = {
        "to": node.path,
        "including": occurrence.including,
        "resume": occurrence.resume,
        "reason": occurrence.reason,
        "pending": pending,
        "open": open_,
    }
    if occurrence.parameters is not None:
        _require_ready(draft, node, {*pending, *open_})
        facts["input"] = dict(occurrence.parameters)
    if occurrence.variables:
        pausing.check_variables(draft, occurrence.variables)
        facts["variables"] = dict(occurrence.variables)
    draft.actor = occurrence.actor
    _stop(draft, inside)
    if any(needs_undo(each, draft.step(each.path)) for each in inside):
        undoing.begin_rewind(draft, **facts)
    else:
        _arrive(draft, facts)


def arrive(draft: Draft) -> None:
    """Take back what has been undone."""
    draft.require_complete()
    asked = dict(draft.instance.rewind or {})
    draft.actor = asked["by"]
    _arrive(draft, asked)


def _arrive(draft: Draft, asked: Mapping[str, Any]) -> None:
    names = rewinding.scope(draft.graph, asked["to"], including=asked["including"])
    again = [each.path for each in rewinding.inside(draft.graph, names) if _has_begun(draft, each)]
    facts = {key: asked[key] for key in ("to", "including", "reason", "pending", "open")}
    draft.emit(EventType.INSTANCE_REWOUND, again=again, **facts)
    draft.command(ClearTimers(step=""))
    retrying.take_up(draft, asked["pending"], asked["open"])
    if "variables" in asked:
        changed = asked["variables"]
        draft.emit(EventType.INSTANCE_VARIABLES_CHANGED, variables=changed, reason=asked["reason"])
    if "input" in asked:
        _begin_with(draft, draft.graph[asked["to"]], asked["input"])
    if asked["resume"]:
        pausing.go_on(draft, reason=asked["reason"])


def _begin_with(draft: Draft, node: Node, parameters: Any) -> None:
    try:
        entering.send(draft, node, parameters)
    except OrchestratorError as problem:
        # Its own idempotency key cannot be evaluated: the step fails, as it would in its turn.
        stopping.failed(draft, node, error_of(problem))


def _has_begun(draft: Draft, node: Node) -> bool:
    step = draft.step(node.path)
    return step.state is not StepState.PENDING or step.due_at is not None


def _stop(draft: Draft, inside: Collection[Node]) -> None:
    """Cancel what a pause has caught half-way, and every time that runs; inner before outer."""
    draft.command(ClearTimers(step=""))
    for node in reversed(list(inside)):
        step = draft.step(node.path)
        if step.state in IN_FLIGHT:
            stopping.cancel(draft, node)
        elif step.state is StepState.PENDING and step.due_at is not None:
            draft.command(ClearTimers(step=node.path))
    draft.todo.clear()


def _ended_by_failure(draft: Draft, occurrence: Rewind, inside: Collection[str]) -> tuple[list[str], list[str]]:
    """Return what else the end of the instance had ended, and goes on with it: as for a retry."""
    if draft.instance.ending is None:
        return [], []
    pending, open_ = reopening.plan(draft, occurrence.evidence)
    return [path for path in pending if path not in inside], [path for path in open_ if path not in inside]


# ---------------------------------------------------------------- refusals
def _require_able(draft: Draft) -> None:
    instance = draft.instance
    if instance.state not in ABLE:
        able = "a completed, failed or paused one can be taken back"
        raise StateForbids(f"the instance is {instance.state}; only {able}: {WHY_NOT[instance.state]}")
    if draft.graph.definition.machine is not None:
        raise StateForbids("a state machine is not taken back to a step; its transitions say how it goes back")
    if instance.parent and instance.parent["awaited"]:
        above = instance.parent["instance"]
        raise StateForbids(f"the instance {above} called it and goes by its end; take that one back to its call")


def _require_outermost(draft: Draft, node: Node) -> None:
    if node.parent is not None:
        outermost = [*draft.graph.ancestors(node.path)][-1].path
        raise StateForbids(
            f"{node.path} stands in {outermost}; an instance is taken back to a step of the outermost list"
        )


def _require_begun(draft: Draft, node: Node, inside: Collection[Node], *, including: bool) -> None:
    if including and not _has_begun(draft, node):
        raise StateForbids(f"{node.path} has not run; there is nothing to run again")
    if not any(_has_begun(draft, each) for each in inside):
        raise StateForbids(f"nothing that depends on {node.path} has begun; there is nothing to take back")


def _require_revocable(draft: Draft, inside: Collection[Node]) -> None:
    """Refuse what cannot be made as if it had never run."""
    for node in inside:
        step = draft.step(node.path)
        if step.state is StepState.RUNNING:
            raise StateForbids(f"{node.path} is running; wait for the end of its attempt")
        if step.state is StepState.WAITING and node.awaits_child:
            raise StateForbids(f"{node.path} waits for another workflow; cancel that instance")
        if node.is_repeat and step.opened:
            raise StateForbids(f"{node.path} has begun iterations, which cannot be taken back")
        done = step.state is StepState.COMPLETED or step.effect_unknown
        if node.step.irreversible and not node.is_part and done:
            raise StateForbids(f"{node.path} is irreversible and has run; nothing before it can be taken back")


def _require_alone(draft: Draft, inside: Collection[str]) -> None:
    """Refuse while something else is under way, and where the instance ended by something else."""
    for path, step in sorted(draft.steps.items()):
        if path in inside:
            continue
        if step.state in IN_FLIGHT:
            raise StateForbids(f"{path} is {step.state} and would not be taken back; let it end, or skip it, first")
        ended = draft.instance.state is InstanceState.COMPLETED and draft.graph[path].kind is NodeKind.RETURN
        if ended and step.state is StepState.COMPLETED:
            raise StateForbids(f"the instance ended by {path}, which would not be taken back")


def _require_ready(draft: Draft, node: Node, reopened: Collection[str]) -> None:
    if node.kind is not NodeKind.ACTIVITY:
        raise StateForbids(f"{node.path} is no activity; only an activity can be given other parameters")
    for need in node.needs:
        if need in reopened or draft.step(need).state in STEP_OPEN:
            raise StateForbids(f"{need}, which {node.path} waits for, has to run first; its parameters are not due yet")
