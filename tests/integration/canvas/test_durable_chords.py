"""The result backend: it releases chords for parts that returned normally, and keeps nothing."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from billiard.exceptions import WorkerLostError
from celery import chord, states
from celery.backends.base import DisabledBackend
from celery.result import AsyncResult

from orchestrator.celery import app
from orchestrator.durable_chords import DurableChords

BODY = {
    "task": "orchestrator.step",
    "args": [],
    "kwargs": {"instance": "i", "step": "join", "generation": 1},
    "options": {"queue": "default"},
    "subtask_type": None,
    "immutable": True,
}
PART = SimpleNamespace(id="part", root_id="root", chord=BODY)


@pytest.fixture
def outbox(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Messages that would have gone to the broker."""
    sent: list[Any] = []
    monkeypatch.setattr(
        app.amqp, "send_task_message", lambda producer, name, message, **options: sent.append((message, options))
    )
    return sent


def test_every_worker_uses_it() -> None:
    assert isinstance(app.backend, DurableChords)
    assert app.conf.task_ignore_result


def test_a_part_that_returned_normally_releases_the_body_on_its_queue(outbox: list[Any]) -> None:
    app.backend.on_chord_part_return(PART, states.SUCCESS, None)

    ((message, options),) = outbox
    assert message.body[1] == BODY["kwargs"]
    assert options["queue"].name == "default"
    assert (message.headers["parent_id"], message.headers["root_id"]) == ("part", "root")


@pytest.mark.parametrize("state", [states.FAILURE, states.RETRY, states.REVOKED, states.REJECTED])
def test_a_part_that_ended_otherwise_releases_nothing(outbox: list[Any], state: str) -> None:
    app.backend.on_chord_part_return(PART, state, ValueError("no"))

    assert outbox == []


def test_a_lost_process_is_recorded_whatever_chords_follow_in_its_chain(outbox: list[Any]) -> None:
    member_of_a_chord = {**BODY, "options": {"queue": "default", "task_id": "next", "chord": BODY}}
    lost = SimpleNamespace(id="part", root_id="root", chord=None, chain=[member_of_a_chord], errbacks=None)

    app.backend.mark_as_failure("part", WorkerLostError("signal 9"), request=lost)

    assert outbox == []


def test_a_body_that_cannot_be_sent_is_left_to_the_sweeper(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise OSError("the broker is gone")

    monkeypatch.setattr(app.amqp, "send_task_message", refuse)

    with caplog.at_level(logging.WARNING):
        app.backend.on_chord_part_return(PART, states.SUCCESS, None)

    assert "the broker is gone" in caplog.text


def test_a_chord_is_prepared_without_a_message_and_without_storing_anything(outbox: list[Any]) -> None:
    app.backend.apply_chord(("group", []), app.signature(BODY))

    assert outbox == []


def test_results_are_as_disabled_as_without_a_backend() -> None:
    assert isinstance(app.backend, DisabledBackend)
    with pytest.raises(NotImplementedError):
        AsyncResult("some-id", app=app).get(timeout=0)


def test_a_chord_of_somebody_else_s_tasks_is_refused_before_anything_is_sent(outbox: list[Any]) -> None:
    parts = [app.signature("shop.count", immutable=True), app.signature("shop.count", immutable=True)]

    with pytest.raises(NotImplementedError, match="result backend"):
        chord(parts, app.signature("shop.sum"), app=app).apply_async()

    assert outbox == []


def test_a_part_of_somebody_else_s_chord_releases_nothing(outbox: list[Any], caplog: pytest.LogCaptureFixture) -> None:
    foreign = SimpleNamespace(id="part", root_id=None, chord={**BODY, "task": "shop.sum"})

    app.backend.on_chord_part_return(foreign, states.SUCCESS, None)

    assert outbox == []
    assert "not one of ours" in caplog.text
