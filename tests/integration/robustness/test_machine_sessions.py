"""Many senders and workers at one state machine at once: one transition at a time, every event answered once."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from tests.integration.robustness.test_sessions import check, sweeper, together, worker
from workflows_app import dispatch
from workflows_app.engine.errors import OrchestratorError
from workflows_app.models import Event, Instance
from workflows_app.services import definitions, instances, machines

MACHINE = """
workflow: turnstile
version: 1.0.0
kind: state_machine
variables: {coins: 0}
initial: shut
states: {shut: {}, open: {}, gone: {terminal: true}}
transitions:
  - from: shut
    to: open
    event: coin
    do: [{activity: core.echo, compensate: {activity: core.echo, retry: {max_attempts: 99, initial_interval: 0}}}]
    set: {coins: "${ vars.coins + 1 }"}
  - {from: open, to: shut, event: push, do: [{activity: core.echo}], then: [{activity: core.echo}]}
  - {from: [shut, open], to: gone, event: remove, compensate: true}
output: "${ vars.coins }"
"""

pytestmark = pytest.mark.usefixtures("committed_db", "a_broker_that_takes_everything")


@pytest.fixture
def a_broker_that_takes_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers look at the rows themselves."""
    monkeypatch.setattr(dispatch, "send", lambda *_: None)
    monkeypatch.setattr(dispatch, "depth", lambda queue: 0)


@pytest.fixture
def instance() -> Instance:
    definitions.publish(text=MACHINE, actor="ada")
    return instances.start(name="turnstile", actor="ada")


def test_of_senders_that_expect_the_same_version_one_is_served(instance: Instance) -> None:
    seen = Instance.objects.get(pk=instance.pk).sequence
    answers: list[str] = []

    def send() -> None:
        try:
            machines.send_event(instance_id=instance.pk, event="coin", actor="ada", expected_version=seen)
        except OrchestratorError as refusal:
            answers.append(refusal.code)
        else:
            answers.append("accepted")

    assert together(*[send] * 6) == []

    assert Counter(answers) == {"accepted": 1, "CONCURRENCY_CONFLICT": 5}
    assert Event.objects.filter(instance=instance, type="machine.event_accepted").count() == 1


def test_senders_and_workers_at_once_lose_no_event_and_never_run_two_transitions(instance: Instance) -> None:
    answers: Counter[str] = Counter()

    def sender(seed: int) -> Any:
        chance = random.Random(seed)

        def send() -> None:
            for _ in range(25):
                answers[_send(instance.pk, chance.choice(["coin", "push"]))] += 1

        return send

    def fails_now_and_then(chance: random.Random) -> dict[str, Any] | None:
        if chance.random() < 0.9:
            return None
        return {"code": "BROKEN", "message": "no", "details": {}, "recoverable": True}

    def closing() -> None:
        together(*(sender(seed) for seed in range(3)))
        assert _send(instance.pk, "remove") == "accepted"

    raised = together(closing, worker(1, fails_now_and_then), worker(2, fails_now_and_then), sweeper)

    assert raised == []
    check(instance.pk)
    events = list(Event.objects.filter(instance=instance).order_by("sequence"))
    kinds = Counter(event.type for event in events)
    begun = [e for e in events if e.type == "step.waiting" and e.step.endswith("]")]
    assert kinds["machine.event_accepted"] == answers["accepted"] + 1
    assert kinds["machine.event_accepted"] == len(begun) + kinds["machine.event_refused"]
    assert set(answers) <= {"accepted", "INVALID_TRANSITION"}
    under_way = 0
    for event in events:
        if event.step.endswith("]"):
            under_way += {"step.waiting": 1, "step.completed": -1, "step.failed": -1}.get(event.type, 0)
            assert under_way in (0, 1)


def _send(instance_id: UUID, event: str) -> str:
    try:
        machines.send_event(instance_id=instance_id, event=event, actor="ada")
    except OrchestratorError as refusal:
        return refusal.code
    return "accepted"
