"""An operator migrates instances while workers run them: whoever has the old graph in hand decides nothing by it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.robustness.test_sessions import (
    a_broker_that_takes_every_other_message,  # noqa: F401 - fixture
    check,
    claim_any,
    patient_sessions,  # noqa: F401 - fixture
    sweeper,
    together,
    unended,
)
from workflows_app.engine.errors import StateForbids
from workflows_app.models import Attempt, Event
from workflows_app.services import definitions, instances, migrating, steps
from workflows_app.services.claims import Onward


def version(number: int, extra: str) -> str:
    """A row and two branches, in which each version has a step of its own."""
    row = "".join(f"  - {{id: s{n}, activity: core.echo}}\n" for n in range(6))
    return f"""
workflow: moving
version: {number}.0.0
steps:
{row}
  - id: both
    parallel:
      branches:
        left: [{{id: l0, activity: core.echo}}, {{id: {extra}_l, activity: core.echo}}]
        right: [{{id: r0, activity: core.echo}}, {{id: r1, activity: core.echo}}]
  - {{id: {extra}, activity: core.echo}}
  - {{id: last, activity: core.echo}}
"""


def fusing_worker(seed: int) -> Callable[[], None]:
    """A worker that goes on with what follows by itself, as long as it can."""
    chance = random.Random(seed)

    def work() -> None:
        while unended():
            claim = claim_any(chance, f"w{seed}")
            while claim is not None:
                onward = Onward(goes_on=lambda: chance.random() < 0.7)
                assert steps.succeeded(claim=claim, output=claim.path, onward=onward)
                claim = onward.next

    return work


@pytest.mark.usefixtures("patient_sessions", "a_broker_that_takes_every_other_message")
def test_migrating_there_and_back_while_workers_run_loses_no_step_and_repeats_none() -> None:
    for text in (version(1, "a"), version(2, "b")):
        definitions.publish(text=text, actor="ada")
    started = [instances.start(name="moving", version="1.0.0", actor="ada") for _ in range(6)]
    moved: list[Any] = []

    def operator() -> None:
        chance = random.Random(3)
        while unended():
            instance, to = chance.choice(started), chance.choice(["1.0.0", "2.0.0"])
            try:
                moved.append(migrating.migrate(instance_id=instance.pk, version=to, actor="ada"))
            except StateForbids:
                continue

    raised = together(*[fusing_worker(seed) for seed in range(3)], sweeper, operator)

    assert raised == []
    assert moved, "the operator was quick enough for one at least"
    for instance in started:
        instance.refresh_from_db()
        own = {"1.0.0": "a", "2.0.0": "b"}[instance.version]
        assert instance.state == "completed"
        states = dict(instance.steps.values_list("path", "state"))
        assert {path for path, state in states.items() if state not in ("completed", "skipped")} == set()
        assert {own, f"{own}_l"} <= states.keys()
        done = list(Event.objects.filter(instance=instance, type="step.completed").values_list("step", flat=True))
        assert all(done.count(path) == 1 for path in ("s0", "s5", "l0", "r0", "r1", "last"))
        attempts = Attempt.objects.filter(instance=instance).values_list("path", "number")
        assert len(set(attempts)) == len(attempts)
        check(instance.pk)
