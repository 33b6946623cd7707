"""Calling: a step runs another workflow as an instance of its own, waits for its end, and takes over how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows_app.engine import schemas
from workflows_app.engine.callee import child_id
from workflows_app.engine.commands import StartChild
from workflows_app.engine.errors import InputInvalid, OrchestratorError
from workflows_app.engine.events import EventType
from workflows_app.engine.node import Node
from workflows_app.engine.states import Cause, InstanceState, StepState
from workflows_app.engine.transitions import settling, stopping, telling, undoing
from workflows_app.engine.transitions.draft import Draft
from workflows_app.engine.transitions.occurrences import ChildEnded
from workflows_app.engine.transitions.problems import error
from workflows_app.engine.transitions.slice import StaleOccurrence

_CODES = {Cause.CANCELLED: "CHILD_CANCELLED", Cause.OPERATOR: "CHILD_CANCELLED"}
_MAYBE_LEFT = frozenset({InstanceState.TERMINATED, InstanceState.COMPENSATION_FAILED})
"""Ends that may leave something behind which nobody has undone."""


def begin(draft: Draft, node: Node) -> bool:
    """Create the instance that a step calls.

    Returns:
        Whether the step waits for it; one that does not has completed, and its output names the instance.

    Raises:
        OrchestratorError: with code CALL_TOO_DEEP, INPUT_INVALID, or that of an expression; nothing is created.
    """
    callee = node.callee
    assert callee is not None
    depth = 1 + (draft.instance.parent["depth"] if draft.instance.parent else 0)
    if depth > draft.before.call_depth:
        message = f"{callee.workflow} would have more than {draft.before.call_depth} instances above it"
        raise OrchestratorError(message, code="CALL_TOO_DEEP", details={"depth": depth})
    given = draft.evaluate(node.value, node)
    value = {} if given is None else given
    _check(value, callee.input_schema, callee.workflow)
    generation = draft.step(node.path).generation + 1
    child = child_id(draft.instance.id, node.path, generation)
    facts = {"input": value, "workflow": callee.workflow, "version": callee.version, "child": child}
    if node.awaits_child:
        draft.emit(EventType.STEP_WAITING, node.path, generation=generation, **facts)
    draft.command(
        StartChild(
            step=node.path,
            child=child,
            workflow=callee.workflow,
            version=callee.version,
            input=value,
            depth=depth,
            awaited=node.awaits_child,
        )
    )
    if not node.awaits_child:
        settling.complete(draft, node, output={"instance": child}, **facts)
    return node.awaits_child


def _check(value: Any, schema: Any, workflow: str) -> None:
    problems = schemas.validate(value, schema, path="input") if schema is not None else []
    if problems:
        message = f"{workflow} does not take this input: {problems[0].path}: {problems[0].message}"
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise InputInvalid(message + more, details={"problems": [problem.as_dict() for problem in problems]})


def overdue(draft: Draft, node: Node, problem: Mapping[str, Any]) -> None:
    """Cancel what the step called as its deadline passed; the step fails once that has ended."""
    if draft.step(node.path).stopping:
        raise StaleOccurrence(f"{node.path} is stopping already")
    telling.stop(draft, node, problem)


def ended(draft: Draft, occurrence: ChildEnded) -> None:
    """Let the step end as what it called did.

    Raises:
        StaleOccurrence: the step does not wait for this instance any more.
    """
    node, step = draft.graph[occurrence.step], draft.step(occurrence.step)
    if not _is_about(draft, node, occurrence):
        raise StaleOccurrence(f"{occurrence.step} does not wait for the instance {occurrence.child}")
    if step.state is StepState.COMPENSATION_FAILED:
        # Somebody has seen to what was left undone there: that is true here as well.
        undoing.seen_to(draft, node, output=None)
    elif step.state is StepState.COMPENSATING:
        _undone(draft, node, occurrence)
    elif occurrence.state is InstanceState.COMPLETED:
        settling.complete(draft, node, output=occurrence.output)
    else:
        _failed(draft, node, occurrence)


def _is_about(draft: Draft, node: Node, occurrence: ChildEnded) -> bool:
    """Whether the step waits for this end: that of its call, of its undo, or of an undo that failed before."""
    step = draft.step(node.path)
    late = (
        step.state is StepState.COMPENSATION_FAILED
        and node.undone_by_child
        and occurrence.state is InstanceState.COMPENSATED
        and draft.instance.state in (InstanceState.COMPENSATING, InstanceState.COMPENSATION_FAILED)
    )
    awaited = late or telling.is_waited_for(node, step)
    return awaited and telling.child_of(draft, node.path) == occurrence.child


def _undone(draft: Draft, node: Node, occurrence: ChildEnded) -> None:
    if occurrence.state is InstanceState.COMPENSATED:
        undoing.undone(draft, node, output=None)
    else:
        message = f"the undo of {occurrence.child} ended {occurrence.state}"
        problem = error("CHILD_NOT_UNDONE", message, instance=occurrence.child, state=occurrence.state.value)
        undoing.failed(draft, node, problem)


def _failed(draft: Draft, node: Node, occurrence: ChildEnded) -> None:
    step = draft.step(node.path)
    facts: dict[str, Any] = {"effect_unknown": True} if occurrence.state in _MAYBE_LEFT else {}
    if step.stopping and step.error is not None:
        stopping.failed(draft, node, dict(step.error), **facts)
    elif draft.stopped(node) and occurrence.cause in _CODES:
        stopping.cancel(draft, node, **facts)
    else:
        stopping.failed(draft, node, _problem(occurrence), **facts)


def _problem(occurrence: ChildEnded) -> dict[str, Any]:
    """Name what the called instance failed with as the step's own error."""
    of_child = occurrence.error or {}
    given = of_child.get("details")
    code = _CODES.get(occurrence.cause) if occurrence.cause else None
    message = of_child.get("message") or f"the instance {occurrence.child} ended {occurrence.state}"
    details = {
        **(given if isinstance(given, Mapping) else {}),
        "instance": occurrence.child,
        "state": occurrence.state.value,
    }
    return error(code or of_child.get("code") or "CHILD_FAILED", message, **details)
