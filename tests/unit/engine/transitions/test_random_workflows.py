"""For random definitions, orders and outcomes: every instance ends truthfully, and its history says all of it."""

from __future__ import annotations

from dataclasses import replace
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.definitions import definitions
from tests.strategies.effort import many
from tests.strategies.joins import joining
from tests.unit.engine.transitions.simulator import Simulator
from workflows_app.engine import handing
from workflows_app.engine.definition import parse
from workflows_app.engine.definition.model import Rest
from workflows_app.engine.events import EventType
from workflows_app.engine.node import NodeKind
from workflows_app.engine.replay import HistoryBroken, differences, replay
from workflows_app.engine.states import INSTANCE_ENDED, STEP_OPEN, InstanceState, StepState

SEEDS = st.integers(0, 2**32 - 1)
PAUSES = st.sampled_from([0, 0, 1, 5])
"""How often the instance is paused and resumed."""
RETRIES = st.sampled_from([0, 0, 3])
"""How often an instance that failed is retried."""
MEDDLES = st.sampled_from([0, 0, 4])
"""How often somebody skips a step or ends a back-off."""
with_people = definitions(activities=("core.echo", "core.fail"), max_steps=14, people=True)
calling = definitions(activities=("core.echo", "core.fail"), max_steps=12, calls=True)
drawn = definitions(max_steps=14) | joining() | definitions(max_steps=14, events=True) | calling | with_people


@many
@given(definition=drawn, seed=SEEDS, cancel=st.booleans(), pauses=PAUSES, meddles=MEDDLES, retries=RETRIES)
def test_every_instance_ends_and_every_step_reaches_a_truthful_end(definition, seed, cancel, pauses, meddles, retries):
    simulator = Simulator(definition, seed, cancel=cancel, pauses=pauses, meddles=meddles)

    simulator.run(retries=retries)

    instance = simulator.state.instance
    assert instance.state in INSTANCE_ENDED
    assert instance.open_steps == 0
    for path in {*simulator.graph.nodes, *simulator.state.steps}:
        assert simulator.state.step(path).state not in STEP_OPEN | {StepState.COMPENSATING}, path
    assert simulator.running() == []
    assert simulator.dispatches == {}
    assert simulator.children == {}
    assert simulator.timers == {}
    assert simulator.subscriptions == {}


@many
@given(
    definition=definitions(activities=("core.echo",), max_steps=14, events=True),
    seed=SEEDS,
    cancel=st.booleans(),
    pauses=PAUSES,
)
def test_what_a_step_received_is_an_event_of_its_own_that_it_asked_for(definition, seed, cancel, pauses):
    simulator = Simulator(definition, seed, cancel=cancel, pauses=pauses)
    simulator.run()

    taken: dict[int, str] = {}
    asked = {e.step: e.data for e in simulator.events if e.type is EventType.STEP_WAITING}
    for event in simulator.events:
        node = simulator.graph[event.step] if event.step else None
        if event.type is EventType.STEP_COMPLETED and node.kind is NodeKind.RECEIVE and not event.data.get("error"):
            output = event.data["output"]
            assert output["type"] == asked[event.step]["event"]
            assert output["correlate"] in (None, asked[event.step]["correlate"])
            assert output["id"] not in taken, "an instance takes an event once"
            taken[output["id"]] = event.step
    emitted = [e.data["published"] for e in simulator.events if "published" in e.data]
    kept = [{key: event[key] for key in ("type", "correlate", "data")} for event in simulator.published]
    assert all(event in kept for event in emitted)
    assert taken.items() <= simulator.consumed.items()


@many
@given(definition=drawn, seed=SEEDS, cancel=st.booleans(), pauses=PAUSES, meddles=MEDDLES, retries=RETRIES)
def test_the_history_alone_gives_the_stored_state(definition, seed, cancel, pauses, meddles, retries):
    simulator = Simulator(definition, seed, cancel=cancel, pauses=pauses, meddles=meddles)
    simulator.run(retries=retries)

    replayed = replay(simulator.graph, simulator.state.instance, simulator.events)

    assert differences(replayed, simulator.state) == []


@many
@given(definition=drawn, seed=SEEDS, pauses=PAUSES, meddles=MEDDLES, retries=RETRIES)
def test_a_history_that_repeats_no_value_gives_the_same_state(definition, seed, pauses, meddles, retries):
    told, named = (Simulator(definition, seed, pauses=pauses, meddles=meddles) for _ in range(2))
    told.run(retries=retries)
    with mock.patch.object(handing, "LARGE", 0):
        named.run(retries=retries)

    replayed = replay(named.graph, named.state.instance, named.events)

    assert differences(replayed, told.state) == []
    for event in named.events:
        # What is passed on stands where the row says: in the event that brought it, which has it itself.
        if (origin := event.data.get("output_from")) is not None:
            kept = replayed.steps[event.step].output_from
            if kept is not None and replayed.steps[event.step].settled == event.sequence:
                source = named.events[kept["event"] - 1]
                assert not source.data.keys() & {"input_from", "output_from"}
                part = handing.taken(source.data, kept["take"])
                assert handing.filled(event.data["output"], origin["put"], part) == replayed.steps[event.step].output


@many
@given(definition=drawn, seed=SEEDS, pauses=PAUSES, meddles=MEDDLES)
def test_a_failure_that_nothing_tolerates_stops_what_is_around_it(definition, seed, pauses, meddles):
    simulator = Simulator(definition, seed, pauses=pauses, meddles=meddles)
    simulator.run()
    state = simulator.state

    for event in simulator.events:
        if event.data.get("tolerated") is False:
            around = simulator.graph[event.step].parent
            stopped = around is not None and state.step(around).stopping
            assert stopped or state.instance.ending is not None, event.step


@many
@given(definition=drawn, seed=SEEDS, pauses=PAUSES)
def test_what_had_completed_stays_when_a_failed_instance_is_retried(definition, seed, pauses):
    simulator = Simulator(replace(definition, on_failure="stop", on_timeout="stop"), seed, trouble=0.4, pauses=pauses)
    simulator.run(retries=5)

    completed: set[str] = set()
    for event in simulator.events:
        if event.type is EventType.STEP_COMPLETED:
            assert event.step not in completed, "a step completes once"
            completed.add(event.step)
        elif event.type is EventType.INSTANCE_RETRIED:
            assert completed.isdisjoint(event.data["pending"])
            assert completed.isdisjoint(event.data["open"])
    for path, step in simulator.state.steps.items():
        assert step.attempts == sum(known == path for known, _ in simulator.state.attempts)


@many
@given(definition=drawn, seed=SEEDS, pauses=PAUSES)
def test_no_step_begins_before_its_dependencies_have_settled(definition, seed, pauses):
    simulator = Simulator(definition, seed, pauses=pauses)
    simulator.run()
    begins = {EventType.STEP_SCHEDULED, EventType.STEP_WAITING}
    settles = {
        EventType.STEP_COMPLETED,
        EventType.STEP_FAILED,
        EventType.STEP_TIMED_OUT,
        EventType.STEP_SKIPPED,
        EventType.STEP_CANCELLED,
    }

    settled: set[str] = set()
    completed: set[str] = set()
    failed: set[str] = set()
    for event in simulator.events:
        if event.type is EventType.STEP_FALLING_BACK:
            failed.add(event.step)
        if event.type in settles:
            assert event.step not in settled, "a step settles once"
            settled.add(event.step)
            if event.type is EventType.STEP_COMPLETED:
                completed.add(event.step)
        elif event.type in begins and event.step not in failed and not simulator.graph[event.step].is_part:
            # What failed has begun, or never will: its fallback waits for nothing, however often it is lost.
            node = simulator.graph[event.step]
            if node.join.deadline is not None:
                assert settled.intersection(node.needs)
            elif node.waits_for_all:
                assert settled.issuperset(node.needs)
            elif node.needs:
                assert len(completed.intersection(node.needs)) >= node.join.quorum


@many
@given(definition=drawn, seed=SEEDS, pauses=PAUSES)
def test_no_step_of_a_cancelled_branch_begins_after_its_race_is_decided(definition, seed, pauses):
    simulator = Simulator(definition, seed, pauses=pauses)
    simulator.run()
    graph = simulator.graph

    over: set[str] = set()
    completed: set[str] = set()
    for event in simulator.events:
        if event.type is EventType.STEP_SCHEDULED and "input" in event.data:
            around = {container.path for container in graph.ancestors(event.step)}
            assert not over & {event.step, *around}
        elif event.type is EventType.STEP_COMPLETED:
            completed.add(event.step)
            node = graph[event.step]
            if node.race and node.branch_join.rest is Rest.CANCEL:
                over |= set(node.children) - completed


@many
@given(definition=definitions(activities=("core.echo",), max_steps=14, endings=False), seed=SEEDS, pauses=PAUSES)
def test_without_trouble_every_sound_definition_completes(definition, seed, pauses):
    simulator = Simulator(definition, seed, trouble=0.0, pauses=pauses)

    simulator.run()

    failures = [e for e in simulator.events if e.type in (EventType.STEP_FAILED, EventType.STEP_TIMED_OUT)]
    if not failures and definition.timeout is None:
        assert simulator.state.instance.state is InstanceState.COMPLETED


def test_a_gap_in_a_history_is_named():
    simulator = Simulator(
        parse({"workflow": "w", "version": "1.0.0", "steps": [{"id": "a", "activity": "core.echo"}]}), 1, trouble=0
    )
    simulator.run()
    gapped = simulator.events[:1] + simulator.events[2:]

    with pytest.raises(HistoryBroken, match="event 2 is missing"):
        replay(simulator.graph, simulator.state.instance, gapped)
