"""For random definitions: wherever an instance is paused and resumed, it comes to the end that it would come to."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from tests.strategies.definitions import definitions
from tests.strategies.effort import many
from tests.strategies.machines import machines
from tests.unit.engine.transitions.machine_simulator import MachineSimulator
from tests.unit.engine.transitions.simulator import Simulator
from tests.unit.engine.transitions.test_random_workflows import drawn
from workflows_app.engine.definition import Definition
from workflows_app.engine.definition.model import (
    ChoiceBody,
    ForeachBody,
    Join,
    LoopBody,
    ParallelBody,
    SetBody,
    Step,
)
from workflows_app.engine.events import EventType
from workflows_app.engine.states import InstanceState, StepState
from workflows_app.engine.transitions import Pause, Resume

FAILURES = {StepState.FAILED, StepState.TIMED_OUT}
SEEDS = st.integers(0, 2**32 - 1)
OPERATORS = frozenset({EventType.INSTANCE_PAUSED, EventType.INSTANCE_RESUMED})


class Impatient(Simulator):
    """Paused now and then, and resumed before anything else happens."""

    chance = 0.3

    def do_something(self) -> None:
        before = self._standing()
        instance = self.state.instance
        may = instance.ending is None and instance.state is InstanceState.RUNNING
        # Chance of its own: whether it is paused must not change what happens next.
        if may and random.Random(len(self.events)).random() < self.chance:
            self.take(Pause(actor="ada", reason="lunch"), None)
            self.take(Resume(actor="ada"), None)
            assert self._standing() == before
        super().do_something()

    def _standing(self) -> Any:
        """Everything but the numbers of events."""
        instance = replace(self.state.instance, sequence=0)
        return instance, dict(self.state.steps), dict(self.dispatches), dict(self.timers), dict(self.subscriptions)


class ImpatientMachine(Impatient, MachineSimulator):
    pass


@many
@given(definition=drawn, seed=SEEDS, cancel=st.booleans())
def test_a_pause_in_which_nothing_happens_leaves_everything_as_it_was(definition, seed, cancel):
    Impatient(definition, seed, cancel=cancel).run()


@many
@given(definition=machines(), seed=SEEDS, cancel=st.booleans())
def test_a_pause_in_which_nothing_happens_leaves_a_machine_as_it_was(definition, seed, cancel):
    ImpatientMachine(definition, seed, cancel=cancel).run()


def in_any_order(drawn: Definition) -> Definition:
    """Make of a definition one whose end does not depend on what comes first: no race, no time limit, no assignment."""

    def steps(written: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple(step(each) for each in written)

    def step(written: Step) -> Step:
        plain = replace(written, join=Join(), deadline=None)
        match written.body:
            case SetBody(assignments=assigned):
                same = {name: drawn.variables[name] for name in assigned}
                return replace(plain, body=SetBody(assignments=same))
            case ChoiceBody(cases=cases):
                return replace(plain, body=ChoiceBody(cases=tuple(replace(c, steps=steps(c.steps)) for c in cases)))
            case ParallelBody(branches=branches):
                inner = {name: steps(branch) for name, branch in branches.items()}
                return replace(plain, body=ParallelBody(branches=inner))
            case ForeachBody() as body:
                return replace(plain, body=replace(body, join=Join(), steps=steps(body.steps)))
            case LoopBody() as body:
                return replace(plain, body=replace(body, steps=steps(body.steps)))
            case _:
                return plain

    return replace(drawn, steps=steps(drawn.steps), timeout=None)


@many
@given(
    definition=definitions(activities=("core.echo",), max_steps=14, endings=False).map(in_any_order),
    seeds=st.tuples(SEEDS, SEEDS),
)
def test_with_and_without_pauses_an_instance_comes_to_the_same_end(definition, seeds):
    through, held = Simulator(definition, seeds[0], trouble=0), Simulator(definition, seeds[1], trouble=0, pauses=6)
    through.run()
    held.run()
    # A failure cancels what has not begun beside it, of the instance or of its block: that depends on what came first.
    assume(through.state.instance.state is InstanceState.COMPLETED)
    assume(not any(step.state in FAILURES for step in through.state.steps.values()))

    assert held.state.instance.state is InstanceState.COMPLETED
    assert held.state.instance.output == through.state.instance.output
    assert _ends(held) == _ends(through)


def _ends(simulator: Simulator) -> dict[str, Any]:
    return {path: (step.state, step.output, step.error) for path, step in simulator.state.steps.items()}
