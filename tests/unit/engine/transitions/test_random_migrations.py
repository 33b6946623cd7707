"""For random definitions and changes of them: migrated anywhere, an instance ends truthfully by the new version."""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import assume, event, given
from hypothesis import strategies as st

from tests.strategies.changes import changed
from tests.strategies.definitions import documents
from tests.strategies.effort import many
from tests.strategies.sagas import all_undoable
from tests.unit.engine.transitions.simulator import OTHER, Simulator
from workflows_app.engine import definition
from workflows_app.engine.definition import Definition
from workflows_app.engine.errors import DefinitionInvalid, StateForbids
from workflows_app.engine.events import Event, EventType
from workflows_app.engine.fold import State
from workflows_app.engine.graph import Graph
from workflows_app.engine.paths import iteration_of
from workflows_app.engine.reopening import evidence
from workflows_app.engine.replay import differences, replay
from workflows_app.engine.states import INSTANCE_ENDED, STEP_OPEN, InstanceState, StepState
from workflows_app.engine.transitions import Decision, Migrate
from workflows_app.engine.transitions.migrating import NotMigratable

SEEDS = st.integers(0, 2**32 - 1)
drawn = (
    documents(activities=("core.echo", "core.fail"), max_steps=14)
    | documents(activities=("core.echo",), max_steps=14, events=True)
    | documents(activities=("core.echo",), max_steps=12, calls=True)
    | documents(activities=("core.echo",), max_steps=12, people=True)
)


class Migrating(Simulator):
    """Migrated to one version after the other, each tried at every step with some probability.

    Args:
        versions: definitions with the names that steps have there, by their names in the one before.
    """

    def __init__(
        self, first: Definition, seed: int, versions: list[tuple[Definition, dict[str, str]]], **options: Any
    ) -> None:
        super().__init__(first, seed, **options)
        self.first = self.graph
        self.graphs = {each.version: Graph(each, calls=OTHER) for each in (first, *(it for it, _ in versions))}
        self.coming = [(self.graphs[each.version], renames) for each, renames in versions]
        self.state = State(self.graph, self.state.instance, {}, self.graphs.__getitem__)
        self.state.steps = self.rows
        self.chance = 0.3
        self.refused: list[str] = []
        self.migrated = 0

    def do_something(self) -> None:
        # Chance of its own: what happens next must not depend on whether somebody tried.
        if self.coming and random.Random(len(self.events)).random() < self.chance:
            self.migrate()
        if not self.ended:
            super().do_something()

    def go_on(self, *, limit: int = 5000, retries: int = 0) -> None:
        super().go_on(limit=limit)
        while retries and self.state.instance.state is InstanceState.FAILED:
            retries -= 1
            if self.coming:
                self.migrate()
            super().go_on(limit=limit, retries=1)

    def migrate(self) -> bool:
        graph, renames = self.coming[0]
        asked = Migrate(graph=graph, renames=renames, actor="ada", evidence=evidence(self.events), used=self.used())
        before = (self.state.instance, dict(self.state.steps))
        try:
            self.take(asked, None)
        except StateForbids as refusal:
            assert (self.state.instance, self.state.steps) == before
            if isinstance(refusal, NotMigratable):
                self.refused += [each.code for each in refusal.problems]
            return False
        del self.coming[0]
        self.migrated += 1
        return True

    def used(self) -> frozenset[str]:
        paths = {path for path, _ in self.state.attempts} | set(self.callers.values())
        return frozenset(re.split(r"[\[-]", path)[0] for path in paths)

    def _apply(self, event: Event) -> None:
        if event.type is EventType.STEP_STARTED:
            assert (event.step, event.data["attempt"]) not in self.state.attempts, "an attempt is made once"
        if event.type is not EventType.INSTANCE_MIGRATED:
            return super()._apply(event)
        self.state.apply(event)
        self.graph = self.state.graph
        return None

    def _obey(self, decision: Decision) -> None:
        for migrated in decision.events:
            if migrated.type is EventType.INSTANCE_MIGRATED:
                moved = migrated.data["moved"]
                self.timers = {(moved.get(path, path), kind): at for (path, kind), at in self.timers.items()}
                self.subscriptions = {
                    moved.get(path, path): replace(each, step=moved.get(path, path))
                    for path, each in self.subscriptions.items()
                }
        super()._obey(decision)


def versions(document: dict[str, Any], seeds: list[int]) -> list[tuple[Definition, dict[str, str]]]:
    """Return one version after the other, some of them made of the first again."""
    found, first = [], document
    for number, seed in enumerate(seeds, start=2):
        anew = seed % 3 == 0
        document, renames = changed(first if anew else document, seed, version=f"{number}.0.0")
        renames = {} if anew else renames
        try:
            found.append((definition.parse(document), renames))
        except DefinitionInvalid:
            assume(False)
    return found


def assert_truthful(simulator: Migrating) -> None:
    """Nothing is under way, and the history alone gives the stored state."""
    state = simulator.state
    assert state.instance.state in INSTANCE_ENDED
    assert (simulator.running(), simulator.dispatches, simulator.timers) == ([], {}, {})
    assert (simulator.subscriptions, simulator.children) == ({}, {})
    assert state.instance.version == state.graph.definition.version
    replayed = replay(simulator.first, state.instance, simulator.events, simulator.graphs.__getitem__)
    assert differences(replayed, state) == []


@many
@given(
    document=drawn,
    seed=SEEDS,
    changes=st.lists(SEEDS, min_size=1, max_size=3),
    options=st.fixed_dictionaries(
        {"trouble": st.sampled_from([0, 0.1, 0.3]), "pauses": st.sampled_from([0, 3]), "cancel": st.booleans()}
    ),
    retries=st.sampled_from([0, 2]),
)
def test_every_step_of_the_version_that_it_ends_by_reaches_a_truthful_end(document, seed, changes, options, retries):
    document["version"] = "1.0.0"
    simulator = Migrating(definition.parse(document), seed, versions(document, changes), **options)

    simulator.run(retries=retries)

    event(f"migrated {simulator.migrated}")
    for code in set(simulator.refused):
        event(code)
    assert_truthful(simulator)
    for path in {*simulator.graph.nodes, *simulator.state.steps}:
        if simulator.state.instance.state is InstanceState.COMPLETED:
            assert simulator.state.step(path).state not in STEP_OPEN, path
        assert simulator.state.step(path).state is not StepState.COMPENSATING


@many
@given(document=drawn, seed=SEEDS, changes=st.lists(SEEDS, min_size=1, max_size=3), pauses=st.sampled_from([0, 3]))
def test_no_step_is_performed_twice_under_whatever_name(document, seed, changes, pauses):
    document["version"] = "1.0.0"
    simulator = Migrating(definition.parse(document), seed, versions(document, changes), trouble=0, pauses=pauses)

    simulator.run()

    names: dict[str, str] = {}
    completed: Counter[str] = Counter()
    for each in simulator.events:
        if each.type is EventType.INSTANCE_MIGRATED:
            moved = each.data["moved"]
            names = {moved.get(name, name): first for name, first in names.items()}
            names |= {name: path for path, name in moved.items() if name not in names}
        elif each.type is EventType.STEP_COMPLETED:
            completed[names.get(each.step, each.step)] += 1
    assert set(completed.values()) <= {1}


@many
@given(document=drawn, seed=SEEDS, trouble=st.sampled_from([0, 0.3]))
def test_the_same_under_another_version_changes_nothing(document, seed, trouble):
    document["version"] = "1.0.0"
    first = definition.parse(document)
    again = [(replace(first, version=f"{number}.0.0"), {}) for number in range(2, 5)]
    plain, migrated = Simulator(first, seed, trouble=trouble), Migrating(first, seed, again, trouble=trouble)
    migrated.chance = 0.5

    plain.run()
    migrated.run()

    assert set(migrated.refused) <= {"BLOCK_STOPPING"}
    assert_truthful(migrated)
    assert (migrated.state.instance.state, migrated.state.instance.output) == (
        plain.state.instance.state,
        plain.state.instance.output,
    )
    one, other = ({p: replace(s, settled=None) for p, s in it.state.steps.items()} for it in (plain, migrated))
    assert {path: step for path, step in one.items() if step.state is not StepState.PENDING} == {
        path: step for path, step in other.items() if step.state is not StepState.PENDING
    }


@many
@given(document=drawn, seed=SEEDS, changes=st.lists(SEEDS, min_size=1, max_size=2))
def test_what_had_an_effect_is_undone_whatever_the_version(document, seed, changes):
    document["version"] = "1.0.0"
    first = all_undoable(definition.parse(document))
    later = [(all_undoable(each), renames) for each, renames in versions(document, changes)]
    simulator = Migrating(first, seed, later, trouble=0.1, cancel=True)

    simulator.run()

    assert_truthful(simulator)
    if simulator.state.instance.state is InstanceState.COMPENSATED:
        names: dict[str, str] = {}
        stands: set[str] = set()
        for each in simulator.events:
            if each.type is EventType.INSTANCE_MIGRATED:
                moved = each.data["moved"]
                stands = {moved.get(path, path) for path in stands}
                assert stands.isdisjoint(each.data["gone"]), "its undo would be lost"
            elif each.type is EventType.STEP_COMPLETED and "attempt_state" in each.data:
                stands.add(each.step)
            elif each.type is EventType.STEP_COMPENSATED:
                stands.discard(each.step)
        assert {path for path in stands if not iteration_of(path)} == set(names)
