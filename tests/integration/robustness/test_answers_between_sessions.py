"""Many answers at once, and answers that race the end of what waits: one counts, each of the others is told why not."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.integration.robustness.test_sessions import together
from workflows_app import dispatch
from workflows_app.engine.errors import StateForbids
from workflows_app.models import Consumption, Event, Instance, PublishedEvent
from workflows_app.services import callbacks, definitions, instances, steps, sweep, verification

DOCUMENT = """
workflow: asks
version: 1.0.0
steps:
  - {id: ask, activity: core.echo, with: {to: "${ callback('answer') }"}}
  - {id: answer, receive: {callback: true}}
"""

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch, settings: Any) -> tuple[UUID, str]:
    """An instance that waits, and the token that it handed out."""
    settings.ORCHESTRATOR_PUBLIC_URL = "https://flow.example"
    monkeypatch.setattr(dispatch, "send", lambda *_: None)
    definitions.publish(text=DOCUMENT, actor="ada")
    instance = instances.start(name="asks", actor="ada")
    claim = steps.claim(instance_id=instance.pk, path="ask", generation=1, worker="w")
    assert claim is not None
    _, token = callbacks.hand_out(claim=claim, name="answer")
    steps.succeeded(claim=claim, output=None)
    return instance.pk, token


def answer(token: str) -> None:
    callbacks.answer(token=token, body=b"1", signature=callbacks.Signature())


def test_of_many_answers_at_once_exactly_one_counts(waiting: tuple[UUID, str]) -> None:
    instance_id, token = waiting

    raised = together(*[lambda: answer(token)] * 8)

    assert [type(refused) for refused in raised] == [callbacks.Answered] * 7
    sweep.hand_over_events()  # the instance may have been locked when the answer had been committed
    assert (PublishedEvent.objects.count(), Consumption.objects.count()) == (1, 1)
    assert Event.objects.filter(instance=instance_id, step="answer", type="step.completed").count() == 1
    assert Instance.objects.get(pk=instance_id).state == "completed"
    assert verification.check_replay(instance_id) == []


def test_an_answer_and_a_cancel_at_once_come_one_after_the_other(waiting: tuple[UUID, str]) -> None:
    instance_id, token = waiting

    raised = together(lambda: answer(token), lambda: instances.cancel(instance_id=instance_id, actor="ada"))

    state = Instance.objects.get(pk=instance_id).state
    outcome = ([type(refused) for refused in raised], state)
    # An answer that is recorded first may be overtaken before the step takes it.
    assert outcome in [([StateForbids], "completed"), ([callbacks.Over], "cancelled"), ([], "cancelled")]
    assert verification.check_replay(instance_id) == []
