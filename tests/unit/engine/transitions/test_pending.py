"""An instance that waits for a slot: accepted, started later, or ended without ever having run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from workflows_app.engine import definition
from workflows_app.engine.commands import ClearTimers, Dispatch, SetTimer, TimerKind
from workflows_app.engine.graph import Graph
from workflows_app.engine.replay import differences, replay
from workflows_app.engine.snapshot import InstanceSnapshot
from workflows_app.engine.states import Cause, InstanceState
from workflows_app.engine.transitions import (
    Accept,
    Cancel,
    Decision,
    PlanStart,
    Slice,
    SlotGranted,
    StaleOccurrence,
    Start,
    Terminate,
    TimerFired,
    decide,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 1, 2, tzinfo=UTC)
GRAPH = Graph(
    definition.parse(
        {
            "workflow": "w",
            "version": "1.0.0",
            "timeout": "1h",
            "variables": {"v": 1},
            "concurrency": {"limit": 1, "key": "${ input.k }"},
            "steps": [{"id": "a", "activity": "x", "with": {"k": "${ input.k }"}}],
        }
    )
)
BLANK = InstanceSnapshot(id="i", workflow="w", version="1.0.0", input={"k": "c"})


def slice_of(instance: InstanceSnapshot) -> Slice:
    return Slice(graph=GRAPH, instance=instance, whole=True, complete=True)


def accepted() -> Decision:
    occurrence = Accept(input={"k": "c"}, correlation_id="co", actor="ada", key="c", limit=1)
    return decide(slice_of(BLANK), occurrence, now=NOW)


def after_accept(occurrence: Any) -> Decision:
    return decide(slice_of(accepted().after.instance), occurrence, now=LATER)


def test_what_is_accepted_is_kept_and_nothing_begins() -> None:
    decision = accepted()

    instance = decision.after.instance
    assert (instance.state, instance.started_at, instance.variables, instance.started_by) == (
        InstanceState.PENDING,
        None,
        {"v": 1},
        "ada",
    )
    assert [event.type for event in decision.events] == ["instance.accepted"]
    assert decision.commands == ()


def test_with_a_slot_it_runs_as_if_it_had_just_been_started() -> None:
    begun = after_accept(SlotGranted())
    at_once = decide(slice_of(BLANK), Start(input={"k": "c"}, correlation_id="co", actor="ada"), now=LATER)

    assert begun.commands == at_once.commands
    assert {type(command) for command in begun.commands} == {SetTimer, Dispatch}
    assert begun.after.steps == at_once.after.steps
    assert begun.after.instance == replace(at_once.after.instance, sequence=3)


def test_its_history_replays() -> None:
    first, second = accepted(), after_accept(SlotGranted())

    replayed = replay(GRAPH, BLANK, [*first.events, *second.events])

    assert differences(replayed, second.after) == []


def test_a_planned_one_begins_when_its_timer_fires_as_if_it_had_just_been_started() -> None:
    given: dict[str, Any] = {"input": {"k": "c"}, "correlation_id": "co", "actor": "ada", "tags": ("t",)}
    given |= {"overrides": {"steps": {"a": {"timeout": 5.0}}}}
    at_once = decide(slice_of(BLANK), Start(**given), now=LATER)

    planned = decide(slice_of(BLANK), PlanStart(**given, at=LATER), now=NOW)
    fired = TimerFired(step="", kind=TimerKind.START)
    begun = decide(slice_of(planned.after.instance), fired, now=LATER, actor="timer")

    assert planned.commands == (SetTimer(step="", kind=TimerKind.START, due_at=LATER),)
    assert (begun.commands, begun.after.steps) == (at_once.commands, at_once.after.steps)
    assert begun.after.instance == replace(at_once.after.instance, sequence=3)
    assert differences(replay(GRAPH, BLANK, [*planned.events, *begun.events]), begun.after) == []
    with pytest.raises(StaleOccurrence):
        decide(slice_of(begun.after.instance), fired, now=LATER)


def test_a_slot_for_one_that_runs_already_is_stale() -> None:
    running = after_accept(SlotGranted()).after.instance

    with pytest.raises(StaleOccurrence):
        decide(slice_of(running), SlotGranted(), now=LATER)


@pytest.mark.parametrize(
    ("occurrence", "state", "cause"),
    [
        (Cancel(actor="bob", reason="r"), InstanceState.CANCELLED, Cause.CANCELLED),
        (Cancel(actor="bob", reason="r", compensate=True), InstanceState.CANCELLED, Cause.CANCELLED),
        (Terminate(actor="bob", reason="r"), InstanceState.TERMINATED, Cause.OPERATOR),
    ],
)
def test_it_ends_at_once_and_no_step_was_ever_touched(occurrence: Any, state: InstanceState, cause: Cause) -> None:
    decision = after_accept(occurrence)

    instance = decision.after.instance
    assert (instance.state, instance.cause, instance.ended_at, instance.open_steps) == (state, cause, LATER, 0)
    assert decision.after.steps == {}
    assert [(event.actor, event.data["reason"]) for event in decision.events] == [("bob", "r")]
    assert decision.commands == (ClearTimers(step=""),)
