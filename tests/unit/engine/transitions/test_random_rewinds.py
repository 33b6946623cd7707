"""For random definitions: taken back to any step, as often as one likes, an instance goes on as if it were new."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.strategies.definitions import definitions
from tests.strategies.effort import many
from tests.strategies.sagas import meshes, sagas
from tests.unit.engine.transitions.simulator import Simulator
from tests.unit.engine.transitions.test_random_leaving import assert_none_overtakes_what_depended_on_it
from tests.unit.engine.transitions.test_random_retries import unforgiving
from tests.unit.engine.transitions.test_random_undo import ENDS, SEEDS
from tests.unit.engine.transitions.undo_oracle import Oracle
from workflows_app.engine.errors import StateForbids
from workflows_app.engine.events import Event, EventType
from workflows_app.engine.reopening import evidence
from workflows_app.engine.replay import differences, replay
from workflows_app.engine.states import InstanceState, StepState
from workflows_app.engine.transitions import Rewind, foreseeing

UNKNOWN = ("timed_out", "lost")
TURNS = (EventType.INSTANCE_REWINDING, EventType.INSTANCE_COMPENSATING)


@dataclass(kw_only=True)
class World:
    """What stands outside, told from the history alone: which steps may have an effect that nobody has undone."""

    oracle: Oracle
    stands: set[str] = field(default_factory=set)
    spared: set[str] = field(default_factory=set)
    runs: dict[str, int] = field(default_factory=dict)
    role: dict[str, str] = field(default_factory=dict)

    def tell(self, event: Event) -> None:
        data, path = event.data, event.step
        if event.type is EventType.STEP_STARTED:
            self.role[path] = data["role"]
        elif event.type is EventType.STEP_COMPENSATED:
            self.stands.discard(path)
        elif event.type is EventType.INSTANCE_REWOUND:
            for each in data["again"]:
                self.runs[each] = self.runs.get(each, 0) + 1
                self.role.pop(each, None)
                undone = each not in self.stands or each in self.spared or not self._can_be_undone(each)
                assert undone, "it runs again, so it was undone, or need not be"
            self.stands -= set(data["again"])
            self.spared.clear()
        elif event.type is EventType.STEP_UNDO_UNNEEDED:
            self.spared.add(path)
        elif path and event.type not in ENDS and self.role.get(path) != "compensation":
            unknown = data.get("effect_unknown") or data.get("attempt_state") in UNKNOWN
            whole = event.type is EventType.STEP_COMPLETED and (
                "error" not in data or self.role.get(path) == "fallback"
            )
            if unknown or whole:
                self.stands.add(path)
            elif data.get("attempt_state") == "succeeded":
                self.stands.discard(path)

    def to_undo(self, scope: set[str] | None) -> set[str]:
        """Return what is to be undone of these steps of the outermost list (``None``: of all)."""
        return {p for p in self.stands if self._can_be_undone(p) and (scope is None or self._outermost(p) in scope)}

    def _can_be_undone(self, path: str) -> bool:
        step = self.oracle.steps.get(path.rpartition(".")[2])
        return step is not None and step.compensate is not None

    def _outermost(self, path: str) -> str:
        name = path.rpartition(".")[2]
        return self.oracle.around[name][0][0] if self.oracle.around.get(name) else name


def scope(oracle: Oracle, data: Any) -> set[str]:
    """Return what a rewind takes back, by the document."""
    behind = {name for name, upstream in oracle.upstream.items() if data["to"] in upstream}
    return behind | ({data["to"]} if data["including"] else set())


@many
@given(
    definition=sagas() | meshes(),
    seed=SEEDS,
    trouble=st.sampled_from([0, 0.1, 0.3]),
    stop=st.booleans(),
    rewinds=st.integers(1, 8),
    mends=st.sampled_from([0, 6]),
    pauses=st.integers(0, 4),
    others=st.fixed_dictionaries({"cancel": st.booleans(), "meddles": st.sampled_from([0, 5])}),
)
def test_what_is_taken_back_is_undone_exactly_and_in_order(
    definition, seed, trouble, stop, rewinds, mends, pauses, others
):
    definition = replace(definition, on_failure="stop", on_timeout="stop") if stop else definition
    simulator = Simulator(definition, seed, trouble=trouble, rewinds=rewinds, mends=mends, pauses=pauses, **others)

    simulator.run(limit=20_000, retries=2)

    oracle = Oracle(definition)
    assert_exact(simulator, oracle)
    assert_none_overtakes_what_depended_on_it(simulator, oracle)
    assert_as_told(simulator)


def assert_exact(simulator: Simulator, oracle: Oracle) -> None:
    """Whenever something is to be undone, exactly that is which may have had an effect since it was undone last."""
    world = World(oracle=oracle)
    expected: set[str] | None = None
    begun: set[str] = set()
    calls = {path for path in simulator.state.steps if simulator.graph[path].undone_by_child}
    for event in simulator.events:
        if event.type in TURNS and not event.data.get("again"):
            only = scope(oracle, event.data) if event.type is EventType.INSTANCE_REWINDING else None
            expected, begun = world.to_undo(only), set()
        elif event.type in (EventType.STEP_COMPENSATING, EventType.STEP_UNDO_UNNEEDED) and event.step not in calls:
            begun.add(event.step)  # or its condition said that there is no need to
        elif event.type is EventType.INSTANCE_REWOUND and expected is not None:
            assert begun == expected
            expected = None
        world.tell(event)
    if expected is not None and simulator.state.instance.state is not InstanceState.TERMINATED:
        assert begun == expected
    assert {path: step.rerun for path, step in simulator.state.steps.items() if step.rerun} == world.runs


def assert_as_told(simulator: Simulator) -> None:
    """Nothing is left under way, and the history alone gives the stored state."""
    instance = simulator.state.instance
    assert instance.rewind is None or instance.state is InstanceState.COMPENSATION_FAILED
    assert (simulator.running(), simulator.dispatches, simulator.timers) == ([], {}, {})
    assert simulator.subscriptions == {}
    assert set(simulator.children) == set()
    assert differences(replay(simulator.graph, instance, simulator.events), simulator.state) == []


@many
@given(
    definition=definitions(activities=("core.echo",), max_steps=14, endings=False).map(unforgiving),
    seeds=st.tuples(SEEDS, SEEDS),
    pauses=st.sampled_from([0, 3]),
    rewinds=st.integers(1, 6),
)
def test_mended_and_run_again_it_ends_as_one_that_ran_once(definition, seeds, pauses, rewinds):
    through, other = Simulator(definition, seeds[0], trouble=0), Simulator(definition, seeds[1], trouble=0.3)
    through.run()
    assume(through.state.instance.state is InstanceState.COMPLETED)
    other.edits = False
    other.pauses, other.rewinds = pauses, rewinds
    other.run(retries=3)
    assume(other.state.instance.state in (InstanceState.COMPLETED, InstanceState.FAILED))

    other.trouble, other.rewinds = 0, 2
    other.go_on(retries=3)

    assert other.state.instance.state is InstanceState.COMPLETED
    assert other.state.instance.output == through.state.instance.output
    assert _ends(other) == _ends(through)
    assert_as_told(other)


def _ends(simulator: Simulator) -> dict[str, Any]:
    steps = simulator.state.steps.items()
    return {path: (step.state, step.output, step.error) for path, step in steps if step.state is not StepState.PENDING}


@many
@given(definition=sagas() | meshes(), seed=SEEDS, including=st.booleans(), choice=st.randoms(use_true_random=False))
def test_what_a_rewind_would_do_is_foreseen(definition, seed, including, choice):
    simulator = Simulator(replace(definition, on_failure="stop"), seed, trouble=0)
    simulator.run(limit=20_000)
    told = evidence(simulator.events)
    steps = simulator.graph.roots
    rewind = Rewind(step=choice.choice(steps), including=including, resume=False, actor="ada", evidence=told)
    try:
        foreseen = foreseeing.rewind(simulator.everything(), rewind, now=simulator.now)
    except StateForbids:
        with pytest.raises(StateForbids):
            simulator.take(rewind, None)
        return
    before = len(simulator.events)

    simulator.take(rewind, None)
    while simulator.state.instance.state is InstanceState.COMPENSATING:
        simulator.do_something()

    events = simulator.events[before:]
    begun = [e.step for e in events if e.type is EventType.STEP_COMPENSATING]
    failed = {e.step for e in events if e.type is EventType.STEP_COMPENSATION_FAILED}
    assert sorted(begun) == sorted([*(path for turn in foreseen.undone for path in turn), *foreseen.failing])
    assert failed == set(foreseen.failing)
    places = {path: place for place, turn in enumerate(foreseen.undone) for path in turn}
    oracle = Oracle(definition)
    too_late = [
        (one, two) for one in places for two in places if places[one] >= places[two] and oracle.depends(one, two)
    ]
    assert too_late == [], "what depended on a step is undone before it"
    assert {e.step for e in events if e.type is EventType.STEP_UNDO_UNNEEDED} == set(foreseen.unneeded)
    assert [path for e in events if e.type is EventType.INSTANCE_REWOUND for path in e.data["again"]] == list(
        foreseen.again
    )
