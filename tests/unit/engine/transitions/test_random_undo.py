"""For random definitions, failures, losses and cancels: what is undone, in which order, and what side by side."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tests.strategies.effort import many
from tests.strategies.sagas import meshes, sagas
from tests.unit.engine.transitions.simulator import Simulator
from tests.unit.engine.transitions.undo_oracle import Oracle, undo_states
from workflows_app.engine.definition import parse
from workflows_app.engine.events import EventType
from workflows_app.engine.replay import differences, replay
from workflows_app.engine.states import InstanceState, StepState
from workflows_app.engine.transitions import Terminate
from workflows_app.engine.transitions.repeating import PORTION

SEEDS = st.integers(0, 2**32 - 1)
ENDS = (EventType.STEP_COMPENSATED, EventType.STEP_COMPENSATION_FAILED)


def begun(simulator: Simulator) -> dict[str, int]:
    """Return at which event each undo began, the first first."""
    return {e.step: e.sequence for e in simulator.events if e.type is EventType.STEP_COMPENSATING}


def ended(simulator: Simulator) -> dict[str, int]:
    """Return at which event each undo ended."""
    return {e.step: e.sequence for e in simulator.events if e.type in ENDS}


@many
@given(definition=sagas(), seed=SEEDS, cancel=st.booleans())
def test_exactly_what_may_have_had_an_effect_is_undone_each_once_and_in_order(definition, seed, cancel):
    simulator = Simulator(definition, seed, cancel=cancel)

    simulator.run()

    assert_undone_exactly(simulator)
    assert_undone_in_order(simulator)


@many
@given(definition=meshes(), seed=SEEDS, trouble=st.sampled_from([0, 0.05, 0.2]), cancel=st.booleans())
def test_the_same_holds_whatever_waits_for_what_at_every_depth(definition, seed, trouble, cancel):
    simulator = Simulator(definition, seed, trouble=trouble, cancel=cancel)

    simulator.run(limit=20_000)

    assert_undone_exactly(simulator)
    assert_undone_in_order(simulator)


def assert_undone_exactly(simulator: Simulator) -> None:
    """What may have had an effect is undone, each step once, and the ending says whether that worked."""
    instance, oracle = simulator.state.instance, Oracle(simulator.graph.definition)
    assert begun(simulator).keys() == (oracle.to_undo(simulator) if instance.undo else set())
    unneeded = [e.step for e in simulator.events if e.type is EventType.STEP_UNDO_UNNEEDED]
    assert sorted(unneeded) == sorted(oracle.not_needed(simulator) if instance.undo else ())
    for path in oracle.not_decidable(simulator) if instance.undo else ():
        assert (simulator.state.step(path).undo_error or {})["code"] == "EXPRESSION_ERROR"
    assert ended(simulator).keys() == begun(simulator).keys()
    for kinds in (ENDS, (EventType.STEP_COMPENSATING,)):
        assert set(Counter(e.step for e in simulator.events if e.type in kinds).values()) <= {1}
    assert instance.undone == len(ended(simulator))
    states = undo_states(simulator)
    assert (instance.state is InstanceState.COMPENSATED) == (states == {StepState.COMPENSATED})
    assert (instance.state is InstanceState.COMPENSATION_FAILED) == (StepState.COMPENSATION_FAILED in states)


def assert_undone_in_order(simulator: Simulator) -> None:
    """No undo begins before the undo of all that depended on the step has ended, nor any later than that."""
    oracle, begins, ends = Oracle(simulator.graph.definition), begun(simulator), ended(simulator)
    (first,) = [e.sequence for e in simulator.events if e.type is EventType.INSTANCE_COMPENSATING] or [0]
    for path, begin in begins.items():
        awaited = max((ends[other] for other in ends if oracle.depends(other, path)), default=first)
        assert awaited < begin, f"{path} is undone too early"
        if not oracle.limited(path):
            assert decision(simulator, awaited) == decision(simulator, begin), f"{path} is undone too late"


def decision(simulator: Simulator, sequence: int) -> int:
    """Return the number of the decision that an event came from."""
    return bisect_left(simulator.decided, sequence)


@many
@given(definition=sagas() | meshes(), seed=SEEDS)
def test_the_history_of_an_undo_alone_gives_the_stored_state(definition, seed):
    simulator = Simulator(definition, seed, trouble=0.1)
    simulator.run(limit=20_000)

    replayed = replay(simulator.graph, simulator.state.instance, simulator.events)

    assert differences(replayed, simulator.state) == []
    assert simulator.timers == {}


@many
@given(definition=sagas() | meshes(), seed=SEEDS, after=st.integers(0, 30))
def test_an_instance_terminated_while_it_is_undone_leaves_nothing_under_way(definition, seed, after):
    simulator = Simulator(definition, seed, trouble=0.1)
    simulator.start()
    while not simulator.ended and simulator.state.instance.state is not InstanceState.COMPENSATING:
        simulator.do_something()
    for _ in range(after):
        if not simulator.ended:
            simulator.do_something()
    if simulator.ended:
        return
    under_way = begun(simulator).keys() - ended(simulator).keys()
    begun_before = begun(simulator)

    simulator.take(Terminate(actor="ada"), None)

    assert simulator.state.instance.state is InstanceState.TERMINATED
    assert {simulator.state.step(path).state for path in under_way} <= {StepState.COMPENSATION_FAILED}
    assert begun(simulator) == begun_before
    assert (simulator.running(), simulator.dispatches, simulator.timers, simulator.children) == ([], {}, {}, {})
    assert differences(replay(simulator.graph, simulator.state.instance, simulator.events), simulator.state) == []


# ---------------------------------------------------------------- by example
def test_independent_steps_are_undone_side_by_side_the_latest_completed_first():
    echo = {"activity": "core.echo", "needs": [], "compensate": {"activity": "core.echo"}}
    steps = [{"id": name, **echo} for name in "abcdef"]
    last = {"id": "last", "fail": {"code": "NO", "message": "no"}, "needs": list("abcdef")}
    simulator = Simulator(parse({"workflow": "w", "version": "1.0.0", "steps": [*steps, last]}), 7, trouble=0)
    simulator.run()

    completed = [e.step for e in simulator.events if e.type is EventType.STEP_COMPLETED]

    assert completed != sorted(completed)
    assert list(begun(simulator)) == list(reversed(completed))
    assert len({decision(simulator, sequence) for sequence in begun(simulator).values()}) == 1


def test_a_loser_that_completes_late_is_undone_after_the_step_that_did_not_wait_for_it():
    undo = {"compensate": {"activity": "core.echo"}}
    document = {
        "workflow": "w",
        "version": "1.0.0",
        "steps": [
            {"id": "quick", "activity": "core.echo", "needs": [], **undo},
            {"id": "late", "activity": "core.echo", "needs": [], **undo},
            {"id": "first", "activity": "core.echo", "needs": ["quick", "late"], "join": "any", **undo},
            {"id": "last", "fail": {"code": "NO", "message": "no"}, "needs": ["first", "late"]},
        ],
    }
    overtaken = 0
    for seed in range(30):
        simulator = Simulator(parse(document), seed, trouble=0)
        simulator.run()
        completed = [e.step for e in simulator.events if e.type is EventType.STEP_COMPLETED]
        overtaken += completed.index("late") > completed.index("first")

        assert next(iter(begun(simulator))) == "first"
    assert overtaken > 0


def test_many_items_are_undone_in_portions_the_last_first():
    number = 400
    document = {
        "workflow": "w",
        "version": "1.0.0",
        "steps": [
            {
                "id": "each",
                "foreach": {
                    "items": list(range(number)),
                    "steps": [{"id": "book", "activity": "core.echo", "compensate": {"activity": "core.echo"}}],
                },
            },
            {"id": "last", "fail": {"code": "NO", "message": "no"}},
        ],
    }
    simulator = Simulator(parse(document), 3, trouble=0)

    simulator.run()

    under_way, most = 0, 0
    for event in simulator.events:
        under_way += (event.type is EventType.STEP_COMPENSATING) - (event.type in ENDS)
        most = max(most, under_way)
    portions = [e.data["iterations"] for e in simulator.events if e.type is EventType.STEP_UNDOING]
    assert sum(portions) == number
    assert set(portions[:-1]) == {PORTION}
    assert most >= PORTION
    assert all(int(path.partition("[")[2][:-6]) >= number - PORTION for path in list(begun(simulator))[:PORTION])
    assert simulator.state.instance.state is InstanceState.COMPENSATED
    assert simulator.state.instance.undone == number
    reads = {path: rows_read(simulator, sequence) for path, sequence in ended(simulator).items()}
    assert max(reads.values()) <= 2 * PORTION + 10, "of one portion, however many items there are"
    assert sorted(reads.values())[number // 2] <= 6, "and mostly of one item"


def test_what_a_decision_reads_does_not_grow_with_how_much_is_to_be_undone():
    undo = {"activity": "core.echo", "compensate": {"activity": "core.echo"}}
    number = 300
    steps = [{"id": f"s{n}", **undo} for n in range(number)]
    last = {"id": "last", "fail": {"code": "NO", "message": "no"}}
    simulator = Simulator(parse({"workflow": "w", "version": "1.0.0", "steps": [*steps, last]}), 3, trouble=0)

    simulator.run()

    ends = list(ended(simulator).values())
    assert len(ends) == number
    assert max(rows_read(simulator, sequence) for sequence in ends) <= 6


def test_a_long_row_of_steps_without_an_effect_is_read_in_few_portions():
    undo = {"activity": "core.echo", "compensate": {"activity": "core.echo"}}
    off = [{"id": f"off{n}", "when": "false", **undo} for n in range(200)]
    last = {"id": "last", "fail": {"code": "NO", "message": "no"}}
    steps = [{"id": "first", **undo}, *off, {"id": "then", **undo}, last]
    simulator = Simulator(parse({"workflow": "w", "version": "1.0.0", "steps": steps}), 3, trouble=0)

    simulator.run()

    assert list(begun(simulator)) == ["then", "first"]
    assert max(simulator.asked) <= 12, "each time it looks twice as far"


def rows_read(simulator: Simulator, sequence: int) -> int:
    """Return how many rows the decision had that an event came from."""
    return simulator.loaded[decision(simulator, sequence)]
