"""What a transition costs: plain actions are decided in the database, and no transition before it is looked at."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.driver import Driver
from tests.integration.engine.order_machine import ORDER, send, state
from tests.integration.engine.outcomes import fail
from workflows_app.models import Instance
from workflows_app.services import decisions, slices, verification


def test_actions_that_follow_plainly_are_decided_in_the_database_with_the_same_answer(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = """
workflow: plain
version: 1.0.0
kind: state_machine
initial: new
states: {new: {}, done: {terminal: true}}
transitions:
  - from: new
    to: done
    event: go
    do:
      - {activity: core.echo, with: {a: 1}}
      - {activity: core.echo, with: {id: "${ instance.id }"}}
      - {activity: core.echo}
"""
    asked: list[str] = []
    take = decisions.take

    def counting(**options: Any) -> Any:
        asked.append(type(options["occurrence"]).__name__)
        return take(**options)

    monkeypatch.setattr(decisions, "take", counting)
    instance = driver.start(document)
    send(instance, "go")
    driver.drain()

    assert Instance.objects.get(pk=instance.pk).state == "completed"
    assert asked == ["EventReceived", "AttemptSucceeded"], "only the last action leads to something else than an action"
    assert verification.check_replay(instance.pk) == []


def test_an_event_and_a_failure_look_at_their_own_transition_only(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = driver.start(ORDER)
    wholes: list[bool] = []
    load = slices.load

    def watching(*arguments: Any, **options: Any) -> Any:
        wholes.append(options.get("whole", False))
        return load(*arguments, **options)

    monkeypatch.setattr(slices, "load", watching)
    driver.perform = {"checked[0].echo": fail()}
    send(instance, "checked", {"order": "o1"})
    driver.drain()
    send(instance, "checked", {"order": "o1"})
    driver.drain()

    assert state(instance) == "pending"
    assert wholes
    assert not any(wholes), "the cost of a transition does not grow with those before it"
