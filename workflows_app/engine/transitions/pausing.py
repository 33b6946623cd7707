"""Pausing: an operator holds an instance, changes its variables, and lets it go on; what was held then follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workflows_app.engine import values
from workflows_app.engine.errors import InputInvalid, Problem, StateForbids
from workflows_app.engine.events import EventType
from workflows_app.engine.states import InstanceState, StepState
from workflows_app.engine.transitions import holding, stopping, undoing
from workflows_app.engine.transitions.draft import Draft, Look
from workflows_app.engine.transitions.occurrences import ChangeVariables, Pause, Resume


def pause(draft: Draft, occurrence: Pause) -> None:
    """Let running attempts finish; nothing new starts until the instance is resumed.

    Raises:
        StateForbids: it is not running, or is ending already.
    """
    if draft.instance.state is not InstanceState.RUNNING:
        raise StateForbids(f"the instance is {draft.instance.state}; only a running one can be paused")
    if draft.instance.ending is not None:
        raise StateForbids(f"the instance is ending already (cause: {draft.instance.ending})")
    draft.actor = occurrence.actor
    draft.emit(EventType.INSTANCE_PAUSED, reason=occurrence.reason)
    holding.take_back(draft)


def resume(draft: Draft, occurrence: Resume) -> None:
    """Let everything follow that was held back: failures first, then whatever can go on.

    Raises:
        StateForbids: the instance is not paused.
        InputInvalid: UNKNOWN_VARIABLE, or variables that are too large.
    """
    if draft.instance.state is not InstanceState.PAUSED:
        raise StateForbids(f"the instance is {draft.instance.state}; only a paused one can be resumed")
    check_variables(draft, occurrence.variables)
    draft.actor = occurrence.actor
    changed: dict[str, Any] = {"variables": dict(occurrence.variables)} if occurrence.variables else {}
    go_on(draft, reason=occurrence.reason, **changed)


def go_on(draft: Draft, **facts: Any) -> None:
    """End a pause, with facts for the event."""
    draft.require_whole()
    held = draft.instance.held
    draft.emit(EventType.INSTANCE_RESUMED, **facts)
    holding.let_go(draft, held)
    for each in held:
        if "timer" not in each:
            stopping.fail_scope(draft, draft.graph[each["step"]], dict(draft.step(each["step"]).error or {}))
    if draft.instance.ending is None:
        look_at_everything(draft)


def change_variables(draft: Draft, occurrence: ChangeVariables) -> None:
    """Give variables of a paused instance new values: what runs reads none of them meanwhile.

    Raises:
        StateForbids: the instance is not paused.
        InputInvalid: UNKNOWN_VARIABLE, or variables that are too large.
    """
    if draft.instance.state is not InstanceState.PAUSED:
        raise StateForbids(f"the instance is {draft.instance.state}; pause it to change its variables")
    check_variables(draft, occurrence.variables)
    draft.actor = occurrence.actor
    changed = dict(occurrence.variables)
    draft.emit(EventType.INSTANCE_VARIABLES_CHANGED, variables=changed, reason=occurrence.reason)


def check_variables(draft: Draft, changed: Mapping[str, Any]) -> None:
    """Refuse new values that the variables cannot take.

    Raises:
        InputInvalid: UNKNOWN_VARIABLE, or variables that are too large.
    """
    declared = draft.graph.definition.variables
    unknown = [name for name in changed if name not in declared]
    if unknown:
        known = f"it declares {', '.join(declared)}" if declared else "it declares none"
        problems = [
            Problem(code="UNKNOWN_VARIABLE", path=f"variables.{name}", message=f"no variable of the workflow; {known}")
            for name in unknown
        ]
        message = f"no variable is called {', '.join(unknown)}; {known}"
        raise InputInvalid(message, code="UNKNOWN_VARIABLE", problems=problems)
    together = {**draft.instance.variables, **changed}
    values.encode(together, limit_bytes=draft.before.limit_bytes, what="the instance's variables")


def look_at_everything(draft: Draft) -> None:
    """Look at every step that may have become ready, and at every block that may be over."""
    undoing.go_on_retracing(draft)
    for node in draft.inside(None):
        state = draft.step(node.path).state
        if state is StepState.PENDING:
            draft.look_later(Look.ENTER, node.path)
        elif node.is_container and state is StepState.WAITING:
            draft.look_later(Look.CLOSE, node.path)
    draft.look_later(Look.CLOSE, None)
