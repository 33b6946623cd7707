"""For random state machines, events, orders and outcomes: one transition at a time, and no event is lost."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.effort import many
from tests.strategies.machines import documents, machines
from tests.unit.engine.transitions.machine_simulator import MachineSimulator
from workflows_app.engine.definition import dump, language_schema, load, parse
from workflows_app.engine.definition.yaml_writing import write_yaml
from workflows_app.engine.events import EventType
from workflows_app.engine.replay import differences, replay
from workflows_app.engine.schemas import validate
from workflows_app.engine.states import STEP_OPEN, AttemptState, Role, StepState

SEEDS = st.integers(0, 2**32 - 1)
PAUSES = st.sampled_from([0, 0, 1, 5])
"""How often the machine is paused and resumed."""


@many
@given(definition=machines(), seed=SEEDS, cancel=st.booleans(), pauses=PAUSES)
def test_a_machine_takes_one_event_at_a_time_and_loses_none(definition, seed, cancel, pauses):
    simulator = MachineSimulator(definition, seed, cancel=cancel, pauses=pauses)

    simulator.run()

    instance = simulator.state.instance
    kinds = Counter(event.type for event in simulator.events)
    begun = [e for e in simulator.events if e.type is EventType.STEP_WAITING and e.step.endswith("]")]
    accepted = [e for e in simulator.events if e.type is EventType.MACHINE_EVENT_ACCEPTED]
    from_people = [e for e in accepted if not e.data["event"].get("timeout")]
    late = [e for e in simulator.events if e.type is EventType.MACHINE_MOVED and e.data.get("queued")]
    assert len(from_people) == simulator.answers.count("accepted")
    assert all(e.actor == "ada" for e in from_people)
    assert len(accepted) == len(begun) + len(late) + kinds[EventType.MACHINE_EVENT_REFUSED]
    assert instance.machine_queue == ()
    assert instance.machine_transition is None
    # In the order of their arrival, those that were refused apart.
    order = [e.data["event"]["at"] for e in accepted]
    taken = [e.data["input"]["item"]["at"] for e in begun]
    assert sorted(taken) == taken
    assert set(taken) <= set(order)


@many
@given(definition=machines(), seed=SEEDS, cancel=st.booleans(), pauses=PAUSES)
def test_the_history_alone_gives_the_stored_state(definition, seed, cancel, pauses):
    simulator = MachineSimulator(definition, seed, cancel=cancel, pauses=pauses)
    simulator.run()

    replayed = replay(simulator.graph, simulator.state.instance, simulator.events)

    assert differences(replayed, simulator.state) == []


@many
@given(definition=machines(), seed=SEEDS, cancel=st.booleans(), pauses=PAUSES)
def test_nothing_is_left_half_done(definition, seed, cancel, pauses):
    simulator = MachineSimulator(definition, seed, cancel=cancel, pauses=pauses)

    simulator.run()

    instance, machine = simulator.state.instance, definition.machine
    for path, step in simulator.state.steps.items():
        if path == "machine" and not simulator.ended:
            assert step.state is StepState.WAITING
        else:
            assert step.state not in STEP_OPEN | {StepState.COMPENSATING}, path
    assert simulator.dispatches == {}
    timed = machine.states[instance.machine_state].timeout is not None
    expected = set() if simulator.ended else {("machine", "state")} if timed else set()
    assert {key for key in simulator.timers if key[0]} == expected
    assert simulator.ended or not machine.states[instance.machine_state].terminal


@many
@given(definition=machines(), seed=SEEDS, pauses=PAUSES)
def test_a_state_changes_only_along_a_transition_or_a_time_out(definition, seed, pauses):
    simulator = MachineSimulator(definition, seed, pauses=pauses)

    simulator.run()

    machine = definition.machine
    moves = [e.data for e in simulator.events if e.type is EventType.MACHINE_MOVED]
    assert moves[0]["to"] == machine.initial
    for before, after in pairwise(moves):
        assert after["from"] == before["to"]
        if after["by"] == "timeout":
            assert machine.states[after["from"]].on_timeout == after["to"]
        else:
            along = [t for t in machine.transitions if t.event == after["event"] and after["from"] in t.sources]
            assert any(t.target == after["to"] for t in along)


@many
@given(definition=machines(), seed=SEEDS, cancel=st.booleans(), pauses=PAUSES)
def test_what_is_undone_was_done_and_is_undone_once(definition, seed, cancel, pauses):
    simulator = MachineSimulator(definition, seed, cancel=cancel, pauses=pauses)

    simulator.run()

    state = simulator.state
    undone = Counter(e.step for e in simulator.events if e.type is EventType.STEP_COMPENSATED)
    assert all(times == 1 for times in undone.values())
    for path in undone:
        attempts = [a for (p, _), a in state.attempts.items() if p == path and a.role is not Role.COMPENSATION]
        may_have = {AttemptState.SUCCEEDED, AttemptState.TIMED_OUT, AttemptState.LOST}
        assert any(
            a.state in may_have or (a.error or {}).get("details", {}).get("effect") == "unknown" for a in attempts
        )
    around, settled = "", []
    for event in simulator.events:
        if event.type in (EventType.MACHINE_UNDOING, EventType.INSTANCE_COMPENSATING):
            around, settled = event.step.rpartition(".")[0], []
        elif event.type is EventType.STEP_COMPENSATING:
            assert not around or not event.step.startswith(f"{around}."), "what this transition did stays"
            settled.append(state.steps[event.step].settled)
            assert settled == sorted(settled, reverse=True)


@given(document=documents())
def test_a_machine_is_written_as_it_was_read(document):
    definition = parse(document)
    dumped = dump(definition)

    assert parse(dumped) == definition
    assert parse(load(write_yaml(dumped))) == definition
    assert validate(dumped, language_schema()) == []
