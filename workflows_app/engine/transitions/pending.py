"""Pending: an instance that waits for a slot of its concurrency key; nothing of it runs, its input is kept."""

from __future__ import annotations

from workflows_app.engine.events import EventType
from workflows_app.engine.states import InstanceState
from workflows_app.engine.transitions.draft import Draft
from workflows_app.engine.transitions.occurrences import Accept
from workflows_app.engine.transitions.slice import StaleOccurrence


def accept(draft: Draft, occurrence: Accept) -> None:
    """Record all that the instance is started with later, and what it waits for."""
    definition = draft.graph.definition
    draft.actor = occurrence.actor
    # What another instance called was created with its input; the event need not say that again.
    given = {} if draft.instance.parent else {"input": occurrence.input}
    draft.emit(
        EventType.INSTANCE_ACCEPTED,
        **given,
        variables=dict(definition.variables),
        correlation_id=occurrence.correlation_id,
        workflow=definition.name,
        version=definition.version,
        concurrency={"key": occurrence.key, "limit": occurrence.limit},
    )


def begin(draft: Draft) -> None:
    """Start what was accepted: from here on it is like any other instance."""
    if draft.instance.state is not InstanceState.PENDING:
        raise StaleOccurrence(f"the instance is {draft.instance.state}: it waits for no slot")
    # All at once: the steps that begin would otherwise be asked for one by one.
    draft.need_steps(draft.graph.roots)
    draft.emit(EventType.INSTANCE_STARTED)
