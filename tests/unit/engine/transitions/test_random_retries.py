"""For random definitions: an instance that failed, and is retried once all is mended, ends as if it never had."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from tests.strategies.definitions import definitions
from tests.strategies.effort import many
from tests.unit.engine.transitions.simulator import Simulator
from tests.unit.engine.transitions.test_random_pauses import SEEDS, in_any_order
from workflows_app.engine.definition import Definition
from workflows_app.engine.definition.model import ChoiceBody, ForeachBody, LoopBody, ParallelBody, Step
from workflows_app.engine.definition.reactions import FAILING
from workflows_app.engine.replay import differences, replay
from workflows_app.engine.states import InstanceState


def unforgiving(drawn: Definition) -> Definition:
    """Let every failure fail the instance, and none undo anything."""

    def steps(written: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple(step(each) for each in written)

    def step(written: Step) -> Step:
        strict = replace(written, on_error=FAILING)
        match written.body:
            case ChoiceBody(cases=cases):
                return replace(strict, body=ChoiceBody(cases=tuple(replace(c, steps=steps(c.steps)) for c in cases)))
            case ParallelBody(branches=branches) as body:
                inner = {name: steps(branch) for name, branch in branches.items()}
                return replace(strict, body=replace(body, branches=inner))
            case ForeachBody() | LoopBody() as body:
                return replace(strict, body=replace(body, steps=steps(body.steps)))
            case _:
                return strict

    return replace(in_any_order(drawn), steps=steps(in_any_order(drawn).steps), on_failure="stop")


@many
@given(
    definition=definitions(activities=("core.echo",), max_steps=14, endings=False).map(unforgiving),
    seeds=st.tuples(SEEDS, SEEDS),
    pauses=st.sampled_from([0, 3]),
)
def test_mended_and_retried_it_ends_as_one_that_never_failed(definition, seeds, pauses):
    through = Simulator(definition, seeds[0], trouble=0)
    through.run()
    assume(through.state.instance.state is InstanceState.COMPLETED)
    broken = _failed(definition, seeds[1])
    assume(broken is not None)

    broken.trouble, broken.pauses = 0, pauses
    broken.go_on(retries=1)

    assert broken.state.instance.state is InstanceState.COMPLETED
    assert broken.state.instance.output == through.state.instance.output
    assert _ends(broken) == _ends(through)
    assert differences(replay(broken.graph, broken.state.instance, broken.events), broken.state) == []


def _failed(definition: Definition, seed: int) -> Simulator | None:
    """Run a definition until it fails, several times if need be: one in three runs does."""
    for further in range(8):
        broken = Simulator(definition, seed + further, trouble=0.6)
        broken.run()
        if broken.state.instance.state is InstanceState.FAILED:
            return broken
    return None


def _ends(simulator: Simulator) -> dict[str, Any]:
    return {path: (step.state, step.output, step.error) for path, step in simulator.state.steps.items()}
