"""For random definitions: undos that failed are seen to, in any way and order, and the endings tell the truth."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.effort import many
from tests.strategies.machines import machines
from tests.strategies.sagas import meshes, sagas
from tests.unit.engine.transitions.machine_simulator import MachineSimulator
from tests.unit.engine.transitions.simulator import Simulator
from tests.unit.engine.transitions.test_random_undo import ENDS, SEEDS
from tests.unit.engine.transitions.undo_oracle import Oracle
from workflows_app.engine.definition import parse
from workflows_app.engine.errors import StateForbids
from workflows_app.engine.events import Event, EventType
from workflows_app.engine.replay import differences, replay
from workflows_app.engine.states import InstanceState, StepState
from workflows_app.engine.transitions import RetryUndo, Terminate

BEGINNINGS = (EventType.STEP_COMPENSATING,)


def of(simulator: Simulator, path: str, *kinds: EventType) -> list[Event]:
    return [event for event in simulator.events if event.step == path and event.type in kinds]


@many
@given(
    definition=sagas() | meshes(),
    seed=SEEDS,
    trouble=st.sampled_from([0.2, 0.5]),
    mends=st.integers(1, 12),
    cancel=st.booleans(),
)
def test_whatever_is_seen_to_the_undone_set_is_exact_and_the_ending_true(definition, seed, trouble, mends, cancel):
    simulator = Simulator(definition, seed, trouble=trouble, mends=mends, cancel=cancel)

    simulator.run(limit=20_000)

    assert_all_told(simulator)
    oracle = Oracle(simulator.graph.definition)
    instance = simulator.state.instance
    begun = {event.step for event in simulator.events if event.type in BEGINNINGS}
    assert begun == (oracle.to_undo(simulator) if instance.undo else set())
    assert_none_overtakes_what_depended_on_it(simulator, oracle)


@many
@given(definition=machines(), seed=SEEDS, mends=st.integers(1, 8))
def test_the_undo_of_a_machine_that_failed_is_seen_to_as_well(definition, seed, mends):
    simulator = MachineSimulator(definition, seed, cancel=True)
    simulator.trouble, simulator.mends = 0.5, mends
    simulator.run()

    while simulator.ended and simulator.mends and simulator.failed_undos():
        simulator.go_on()

    if simulator.ended:
        assert_all_told(simulator)


@many
@given(definition=sagas() | meshes(), seed=SEEDS, order=st.randoms(use_true_random=False))
def test_with_every_undo_mended_and_retried_the_instance_is_compensated(definition, seed, order):
    simulator = Simulator(definition, seed, trouble=0.3)
    simulator.run(limit=20_000)
    failed = [path for path in simulator.failed_undos() if not simulator.graph[path].undone_by_child]
    if not failed or len(failed) < len(simulator.failed_undos()):
        return
    simulator.trouble = 0
    order.shuffle(failed)

    for path in failed:
        retry(simulator, path)
        simulator.go_on()

    # One whose parameters cannot be evaluated fails as often as it is tried.
    hopeless = {p for p in failed if simulator.state.step(p).undo_input is None}
    ended = InstanceState.COMPENSATION_FAILED if hopeless else InstanceState.COMPENSATED
    assert simulator.state.instance.state is ended
    assert set(simulator.failed_undos()) == hopeless


@many
@given(definition=sagas() | meshes(), seed=SEEDS, steps=st.integers(0, 3))
def test_terminated_while_undos_run_again_it_stands_where_it_stood(definition, seed, steps):
    simulator = Simulator(definition, seed, trouble=0.4)
    simulator.run(limit=20_000)
    failed = [path for path in simulator.failed_undos() if not simulator.graph[path].undone_by_child]
    if not failed:
        return
    retry(simulator, failed[0])
    while steps and simulator.state.instance.state is InstanceState.COMPENSATING:
        simulator.do_something()
        steps -= 1
    if simulator.state.instance.state is not InstanceState.COMPENSATING:
        return

    simulator.take(Terminate(actor="ada"), None)

    assert simulator.state.instance.state is InstanceState.COMPENSATION_FAILED
    assert failed[0] in simulator.failed_undos()
    assert_all_told(simulator)


def test_no_undo_is_retried_before_that_of_a_step_which_depended_on_it_has_ended():
    undo = {"activity": "core.echo", "compensate": {"activity": "core.echo"}}
    steps = [
        {"id": "a", **undo},
        {"id": "each", "loop": {"times": 2, "steps": [{"id": "in1", **undo}, {"id": "in2", **undo}]}},
        {"id": "side", "needs": [], **undo},
        {"id": "last", "fail": {"code": "NO", "message": "no"}, "needs": ["each", "side"]},
    ]
    simulator = Simulator(parse({"workflow": "w", "version": "1.0.0", "steps": steps}), 1, trouble=0)
    simulator.start()
    while not simulator.ended:
        simulator.trouble = float(simulator.state.instance.state is InstanceState.COMPENSATING)
        simulator.do_something()
    assert len(simulator.failed_undos()) == 6
    retry(simulator, "each[0].in2")

    for path in ("a", "each[0].in1"):
        with pytest.raises(StateForbids, match=r"each\[0\].in2, which depended on .* is being undone"):
            retry(simulator, path)
    for path in ("each[1].in1", "side"):
        retry(simulator, path)

    assert simulator.state.step("side").state is StepState.COMPENSATING


def retry(simulator: Simulator, path: str) -> None:
    simulator.take(RetryUndo(step=path, actor="ada"), path)


def assert_all_told(simulator: Simulator) -> None:
    """Each undo is recorded once for each time that it was asked for; counts, ending and replay agree."""
    instance = simulator.state.instance
    undone = {event.step for event in simulator.events if event.type in BEGINNINGS}
    states = {path: simulator.state.step(path).state for path in undone}
    failed = [path for path, state in states.items() if state is StepState.COMPENSATION_FAILED]
    for path in undone:
        begun, retried = of(simulator, path, *BEGINNINGS), of(simulator, path, EventType.STEP_UNDO_RETRIED)
        by_hand = [event for event in of(simulator, path, *ENDS) if "attempt_state" not in event.data]
        assert len(of(simulator, path, *ENDS)) <= len(begun) + len(by_hand)
        for first, again in pairwise(begun):
            asked = any(first.sequence < e.sequence < again.sequence for e in retried)
            assert asked or simulator.graph.definition.machine is not None
            assert first.data["input"] in (None, again.data["input"]), "its key was used with these parameters"
    if instance.state in (InstanceState.COMPENSATED, InstanceState.COMPENSATION_FAILED):
        assert instance.undo_failed == len(failed)
        assert (instance.state is InstanceState.COMPENSATION_FAILED) == bool(failed)
        assert set(states.values()) <= {StepState.COMPENSATED, StepState.COMPENSATION_FAILED}
    assert (simulator.running(), simulator.dispatches, simulator.timers) == ([], {}, {})
    assert differences(replay(simulator.graph, instance, simulator.events), simulator.state) == []


def assert_none_overtakes_what_depended_on_it(simulator: Simulator, oracle: Oracle) -> None:
    """While a step is being undone, no undo begins of what it depended on."""
    under_way: set[str] = set()
    for event in simulator.events:
        if event.type in BEGINNINGS:
            assert not [path for path in under_way if oracle.depends(path, event.step)]
            under_way.add(event.step)
        elif event.type in ENDS:
            under_way.discard(event.step)
