"""The state tables: complete, closed, and the same in the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from workflows_app.engine import diagrams
from workflows_app.engine.states import (
    ATTEMPT_TRANSITIONS,
    BREAKER_TRANSITIONS,
    EFFECT_TRANSITIONS,
    INSTANCE_ENDED,
    INSTANCE_TRANSITIONS,
    STEP_TRANSITIONS,
    AttemptState,
    BreakerState,
    EffectState,
    InstanceState,
    StepState,
)

MACHINES = [
    (InstanceState, INSTANCE_TRANSITIONS),
    (StepState, STEP_TRANSITIONS),
    (AttemptState, ATTEMPT_TRANSITIONS),
    (EffectState, EFFECT_TRANSITIONS),
    (BreakerState, BREAKER_TRANSITIONS),
]


@pytest.mark.parametrize(("states", "table"), MACHINES)
def test_every_state_has_a_row_and_can_be_reached(states, table):
    first = next(iter(states))
    reached = {first}
    for _ in states:
        reached |= {target for state in reached for target in table[state]}

    assert set(table) == set(states)
    assert reached == set(states)


def test_only_an_operator_or_a_caller_leads_out_of_an_ended_instance():
    taken_back = {InstanceState.PAUSED, InstanceState.COMPENSATING}
    ways_out = {
        InstanceState.COMPLETED: taken_back,
        InstanceState.FAILED: {InstanceState.RUNNING, *taken_back},
        InstanceState.COMPENSATION_FAILED: {InstanceState.COMPENSATING, InstanceState.COMPENSATED},
    }
    for state in INSTANCE_ENDED:
        assert INSTANCE_TRANSITIONS[state] == ways_out.get(state, set())


def test_the_documentation_shows_the_tables():
    page = Path(__file__).parents[3] / "docs" / "states.md"

    assert page.read_text() == diagrams.page()
