"""Several sessions at once: workers, a sweeper, operators and a failing broker; nothing forks, nothing locks up.

Real threads with a connection each: what READ COMMITTED lets through shows only between sessions.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import connections

from tests.services.processes import PATIENCE
from workflows_app import dispatch
from workflows_app.engine.errors import StateForbids
from workflows_app.engine.states import INSTANCE_ENDED
from workflows_app.models import Attempt, Dispatch, Event, Instance, Timer
from workflows_app.services import definitions, instances, interventions, steps, sweep, verification
from workflows_app.services.claims import Claim

BRANCHES = ", ".join(
    f"b{n}: [{{id: s{n}, activity: core.echo, compensate: {{activity: core.echo}}}}]" for n in range(12)
)
WIDE = f"""
workflow: wide
version: 1.0.0
steps:
  - id: p
    parallel:
      branches: {{{BRANCHES}}}
  - {{id: after, activity: core.echo, compensate: {{activity: core.echo}}}}
  - {{id: last, activity: core.echo}}
"""


@pytest.fixture
def a_broker_that_takes_every_other_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """No broker: publishing fails half of the time, in the way that hands the rows back."""
    chance = random.Random(7)

    def send(*_: Any) -> None:
        if chance.random() < 0.5:
            raise OSError("the broker is away")

    monkeypatch.setattr(dispatch, "send", send)
    monkeypatch.setattr(dispatch, "depth", lambda queue: 0)


def together(*works: Callable[[], None]) -> list[BaseException]:
    """Run each in a thread of its own with its own connection; return what they raised."""
    raised: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as problem:
            raised.append(problem)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads), "a session waits for ever"
    return raised


def unended() -> bool:
    return Instance.objects.exclude(state__in=[state.value for state in INSTANCE_ENDED]).exists()


def claim_any(chance: random.Random, worker: str) -> Claim | None:
    """Claim any dispatch, also one that another worker is taking."""
    rows = list(Dispatch.objects.order_by("id")[:6])
    if not rows:
        return None
    row = chance.choice(rows)
    return steps.claim(instance_id=row.instance_id, path=row.path, generation=row.generation, worker=worker)


def worker(seed: int, outcome: Callable[[random.Random], dict[str, Any] | None]) -> Callable[[], None]:
    """A worker that takes any dispatch, also one that another is taking, and reports what ``outcome`` draws."""
    chance = random.Random(seed)

    def work() -> None:
        while unended():
            claim = claim_any(chance, f"w{seed}")
            if claim is None:
                continue
            error = outcome(chance)
            if error is None:
                steps.succeeded(claim=claim, output=claim.path)
            else:
                steps.failed(claim=claim, error=error)

    return work


def sweeper() -> None:
    while unended():
        sweep.run()


def check(instance_id: UUID) -> None:
    assert verification.verify_history(instance_id) is None
    assert verification.check_replay(instance_id) == []
    assert not Timer.objects.filter(instance_id=instance_id).exists()
    assert not Dispatch.objects.filter(instance_id=instance_id).exists()
    assert not Attempt.objects.filter(instance_id=instance_id, state="running").exists()


@pytest.fixture
def patient_sessions(committed_db: None, settings: Any) -> None:
    """Messages count as lost at once, so that the sweeper sends while workers claim."""
    settings.ORCHESTRATOR_RESEND_SECONDS = 0.001
    settings.ORCHESTRATOR_WINDOW = 5


@pytest.mark.usefixtures("patient_sessions", "a_broker_that_takes_every_other_message")
def test_workers_and_sweepers_at_once_run_every_step_once() -> None:
    version = definitions.publish(text=WIDE, actor="ada")
    started = [instances.start(name="wide", version=version.version, actor="ada") for _ in range(4)]

    raised = together(*[worker(seed, lambda _: None) for seed in range(4)], sweeper, sweeper)

    assert raised == []
    for instance in started:
        instance.refresh_from_db()
        assert instance.state == "completed"
        assert Event.objects.filter(instance=instance, type="step.scheduled", step="after").count() == 1
        assert Attempt.objects.filter(instance=instance).count() == 14
        check(instance.pk)


@pytest.mark.usefixtures("patient_sessions", "a_broker_that_takes_every_other_message")
def test_cancelling_and_failing_while_workers_run_undoes_each_completed_step_once() -> None:
    version = definitions.publish(text=WIDE, actor="ada")
    started = [instances.start(name="wide", version=version.version, actor="ada") for _ in range(4)]
    error = {"code": "BOOM", "message": "no", "details": {}, "recoverable": False}

    def operator() -> None:
        for instance in started[:2]:
            try:
                instances.cancel(instance_id=instance.pk, actor="ada", compensate=True)
            except StateForbids:
                continue

    def sometimes(chance: random.Random) -> dict[str, Any] | None:
        return error if chance.random() < 0.1 else None

    raised = together(*[worker(seed, sometimes) for seed in range(4)], sweeper, operator)

    assert raised == []
    for instance in started:
        check(instance.pk)
        undone = Event.objects.filter(instance=instance, type="step.compensating").values_list("step", flat=True)
        assert len(undone) == len(set(undone))
        instance.refresh_from_db()
        if instance.state in ("compensated", "compensation_failed"):
            done = Event.objects.filter(instance=instance, type="step.completed", step__regex="^(s[0-9]+|after)$")
            assert set(undone) == set(done.values_list("step", flat=True))


@pytest.mark.usefixtures("patient_sessions")
def test_fifty_sessions_with_the_same_message_make_one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "publish", lambda *_: True)
    definitions.publish(text="workflow: one\nversion: 1.0.0\nsteps: [{id: a, activity: core.echo}]", actor="ada")
    instance = instances.start(name="one", actor="ada")
    gate = threading.Barrier(10)
    claims: list[steps.Claim | None] = []

    def take() -> None:
        gate.wait(PATIENCE)
        claims.extend(steps.claim(instance_id=instance.pk, path="a", generation=1, worker="w") for _ in range(5))

    assert together(*[take] * 10) == []

    assert len([claim for claim in claims if claim]) == 1
    assert Attempt.objects.count() == 1


@pytest.mark.usefixtures("patient_sessions", "a_broker_that_takes_every_other_message")
def test_pausing_and_resuming_while_workers_run_loses_no_step_and_repeats_none() -> None:
    version = definitions.publish(text=WIDE, actor="ada")
    started = [instances.start(name="wide", version=version.version, actor="ada") for _ in range(4)]
    # One at least is paused while workers run, however late the operator comes to the others.
    interventions.pause(instance_id=started[0].pk, actor="ada")

    def operator() -> None:
        chance = random.Random(5)
        while unended():
            instance = chance.choice(started)
            act = chance.choice([interventions.pause, interventions.resume])
            try:
                act(instance_id=instance.pk, actor="ada")
            except StateForbids:
                continue
            if act is interventions.pause:
                assert not Dispatch.objects.filter(instance=instance, instance__state="paused").exists()

    raised = together(*[worker(seed, lambda _: None) for seed in range(3)], sweeper, operator)

    assert raised == []
    for instance in started:
        instance.refresh_from_db()
        assert instance.state == "completed"
        assert Attempt.objects.filter(instance=instance).count() == 14
        check(instance.pk)
