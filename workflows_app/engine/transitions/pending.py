"""Pending: how an instance begins: at once, at a time, or when it gets a slot; until then its input is kept."""

from __future__ import annotations

from typing import Any

from workflows_app.engine import tags
from workflows_app.engine.commands import SetTimer, TimerKind
from workflows_app.engine.events import EventType
from workflows_app.engine.states import InstanceState
from workflows_app.engine.transitions.draft import Draft
from workflows_app.engine.transitions.occurrences import Accept, NewInstance, PlanStart, Start
from workflows_app.engine.transitions.slice import StaleOccurrence


def start(draft: Draft, occurrence: Start) -> None:
    """Begin a new instance."""
    draft.actor = occurrence.actor
    draft.emit(EventType.INSTANCE_STARTED, **_given(draft, occurrence), **_known(draft, occurrence.correlation_id))
    draft.actor = "engine"


def plan(draft: Draft, occurrence: PlanStart) -> None:
    """Record all that a new instance is started with later, and set the timer that starts it."""
    draft.actor = occurrence.actor
    draft.emit(
        EventType.INSTANCE_PLANNED,
        **_given(draft, occurrence),
        **_known(draft, occurrence.correlation_id),
        start_at=occurrence.at.isoformat(),
    )
    draft.command(SetTimer(step="", kind=TimerKind.START, due_at=occurrence.at))


def accept(draft: Draft, occurrence: Accept) -> None:
    """Record what the instance waits for, and, where that is not known yet, all that it is started with later."""
    draft.actor = occurrence.actor
    # What was planned, or called by another instance, was created with its input; the event need not say that again.
    given = {} if draft.instance.sequence else _given(draft, occurrence)
    draft.emit(
        EventType.INSTANCE_ACCEPTED,
        **given,
        **_known(draft, occurrence.correlation_id),
        concurrency={"key": occurrence.key, "limit": occurrence.limit},
    )


def begin(draft: Draft) -> None:
    """Start what was planned or accepted: from here on it is like any other instance."""
    if draft.instance.state is not InstanceState.PENDING:
        raise StaleOccurrence(f"the instance is {draft.instance.state}: it has been started")
    # All at once: the steps that begin would otherwise be asked for one by one.
    draft.need_steps(draft.graph.roots)
    draft.emit(EventType.INSTANCE_STARTED)


def begin_called(draft: Draft) -> None:
    """Start an instance that another one called: it was created with its input, the event need not say that again."""
    if draft.instance.state is not InstanceState.PENDING:
        raise StaleOccurrence(f"the instance is {draft.instance.state} already")
    draft.require_whole()
    actor, draft.actor = draft.actor, draft.instance.started_by
    draft.emit(EventType.INSTANCE_STARTED, **_known(draft, draft.instance.correlation_id))
    draft.actor = actor


def _given(draft: Draft, occurrence: NewInstance) -> dict[str, Any]:
    facts: dict[str, Any] = {"input": occurrence.input}
    if found := tags.together(tags.of_definition(draft.graph.definition.metadata), occurrence.tags):
        facts["tags"] = list(found)
    if occurrence.overrides is not None:
        facts["overrides"] = occurrence.overrides
    return facts


def _known(draft: Draft, correlation_id: str) -> dict[str, Any]:
    """Return what follows from the definition; the tags of a caller stand before those of what it called."""
    definition, instance = draft.graph.definition, draft.instance
    facts: dict[str, Any] = {
        "variables": dict(definition.variables),
        "correlation_id": correlation_id,
        "workflow": definition.name,
        "version": definition.version,
    }
    if instance.parent is not None:
        found = tags.together(instance.tags, tags.of_definition(definition.metadata))
        if found != instance.tags:
            facts["tags"] = list(found)
    return facts
