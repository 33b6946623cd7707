"""Fold, the events of an instance as a whole; those of its steps stand in ``fold``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from workflows_app.engine import reopening, rewinding, unwinding
from workflows_app.engine.events import Event, EventType
from workflows_app.engine.migration import folding
from workflows_app.engine.states import Cause, InstanceState

if TYPE_CHECKING:
    from workflows_app.engine.fold import State


def _instance_created(state: State, event: Event) -> None:
    """Another instance's step called it; nothing of it has begun yet."""
    state.instance = replace(
        state.instance,
        input=event.data["input"],
        correlation_id=event.data["correlation_id"],
        started_by=event.actor,
        parent=event.data["parent"],
        tags=tuple(event.data.get("tags", ())),
    )


def _instance_accepted(state: State, event: Event) -> None:
    """It waits for its time or for a slot; what it is started with is known already."""
    before = state.instance
    state.instance = replace(
        before,
        input=event.data.get("input", before.input),
        variables=dict(event.data["variables"]),
        correlation_id=event.data["correlation_id"],
        started_by=event.actor,
        tags=tuple(event.data.get("tags", before.tags)),
        overrides=event.data.get("overrides", before.overrides),
    )


def _instance_started(state: State, event: Event) -> None:
    if "variables" in event.data:
        _instance_accepted(state, event)
    state.instance = replace(
        state.instance, state=InstanceState.RUNNING, started_at=event.at, open_steps=len(state.graph.roots)
    )


def _instance_paused(state: State, event: Event) -> None:
    state.instance = replace(state.instance, state=InstanceState.PAUSED)


def _instance_resumed(state: State, event: Event) -> None:
    variables = {**state.instance.variables, **event.data.get("variables", {})}
    state.instance = replace(state.instance, state=InstanceState.RUNNING, held=(), variables=variables)


def _variables_changed(state: State, event: Event) -> None:
    variables = {**state.instance.variables, **event.data["variables"]}
    state.instance = replace(state.instance, variables=variables)


def _instance_tagged(state: State, event: Event) -> None:
    state.instance = replace(state.instance, tags=tuple(event.data["tags"]))


def _instance_stopping(state: State, event: Event) -> None:
    data = event.data
    ending = data["ending"]
    state.instance = replace(
        state.instance,
        state=InstanceState.RUNNING,  # a pause ends with it
        held=(),
        ending=ending,
        undo=data["undo"],
        cause=None if ending == "return" else Cause(ending),
        error=data.get("error"),
        output=data.get("output"),
    )


def _instance_ended(target: InstanceState) -> Callable[[State, Event], None]:
    def apply(state: State, event: Event) -> None:
        changes: dict[str, Any] = {"state": target, "ended_at": event.at, "held": ()}
        for key in ("output", "error"):
            if key in event.data:
                changes[key] = event.data[key]
        if "cause" in event.data:
            changes["cause"] = Cause(event.data["cause"]) if event.data["cause"] else None
        state.instance = replace(state.instance, **changes)

    return apply


def _instance_retried(state: State, event: Event) -> None:
    unwinding.forget(state)  # it may have failed after all conditions of undos were asked
    reopening.reopen(state, event.data["pending"], event.data["open"])


def _instance_rewinding(state: State, event: Event) -> None:
    asked = {**event.data, "by": event.actor}
    state.instance = replace(
        state.instance,
        state=InstanceState.COMPENSATING,
        cause=Cause.OPERATOR,
        ended_at=None,
        rewind=asked,
        undone=0,
        undo_failed=0,
    )
    unwinding.forget(state)
    unwinding.begin(state)


def _instance_rewound(state: State, event: Event) -> None:
    unwinding.forget(state)
    rewinding.take_back(state, event.data["again"], event.data["pending"], event.data["open"])


def _instance_compensating(state: State, event: Event) -> None:
    changes: dict[str, Any] = {"ended_at": None}
    if "cause" in event.data:
        # It had completed, and is undone with the instance that called it.
        changes |= {"cause": Cause(event.data["cause"]), "error": event.data["error"], "undo": True}
    state.instance = replace(state.instance, state=InstanceState.COMPENSATING, **changes)
    if state.graph.definition.machine is None and not event.data.get("again"):
        unwinding.begin(state)


INSTANCE_EVENTS: Mapping[EventType, Callable[[State, Event], None]] = {
    EventType.INSTANCE_PLANNED: _instance_accepted,
    EventType.INSTANCE_ACCEPTED: _instance_accepted,
    EventType.INSTANCE_CREATED: _instance_created,
    EventType.INSTANCE_STARTED: _instance_started,
    EventType.INSTANCE_PAUSED: _instance_paused,
    EventType.INSTANCE_RESUMED: _instance_resumed,
    EventType.INSTANCE_VARIABLES_CHANGED: _variables_changed,
    EventType.INSTANCE_TAGGED: _instance_tagged,
    EventType.INSTANCE_MIGRATED: folding.apply,
    EventType.INSTANCE_STOPPING: _instance_stopping,
    EventType.INSTANCE_COMPLETED: _instance_ended(InstanceState.COMPLETED),
    EventType.INSTANCE_FAILED: _instance_ended(InstanceState.FAILED),
    EventType.INSTANCE_CANCELLED: _instance_ended(InstanceState.CANCELLED),
    EventType.INSTANCE_TERMINATED: _instance_ended(InstanceState.TERMINATED),
    EventType.INSTANCE_RETRIED: _instance_retried,
    EventType.INSTANCE_REWINDING: _instance_rewinding,
    EventType.INSTANCE_REWOUND: _instance_rewound,
    EventType.INSTANCE_COMPENSATING: _instance_compensating,
    EventType.INSTANCE_COMPENSATED: _instance_ended(InstanceState.COMPENSATED),
    EventType.INSTANCE_COMPENSATION_FAILED: _instance_ended(InstanceState.COMPENSATION_FAILED),
}
