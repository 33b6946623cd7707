"""Publishing: what the broker does not take goes back to the sweeper, and nobody asks it again at once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from celery import current_app
from django.utils import timezone

from tests.integration.driver import Driver
from workflows_app import dispatch
from workflows_app.engine.commands import Dispatch
from workflows_app.engine.graph import Graph
from workflows_app.models import Dispatch as DispatchRow
from workflows_app.services import graphs

Ready = tuple[UUID, Graph, list[Dispatch]]

PAIR = """
workflow: pair
version: 1.0.0
steps:
  - {id: a, activity: core.echo}
  - {id: b, activity: core.echo, needs: []}
"""


class Broker:
    """Takes so many messages, then refuses."""

    def __init__(self, takes: int) -> None:
        self.takes = takes
        self.taken: list[str] = []

    def __call__(self, producer: Any, name: str, message: Any, **options: Any) -> None:
        if len(self.taken) == self.takes:
            raise OSError("the broker is gone")
        self.taken.append(message.body[1]["step"])


@pytest.fixture
def ready(driver: Driver) -> Ready:
    """An instance with two dispatches that the database has marked as published."""
    instance = driver.start(PAIR)
    DispatchRow.objects.update(published_at=timezone.now())
    rows = DispatchRow.objects.order_by("path")
    dispatches = [Dispatch(step=r.path, generation=r.generation, queue=r.queue, timeout=60.0) for r in rows]
    return instance.pk, graphs.of_version(instance.definition_version_id), dispatches


def waiting() -> set[str]:
    """Steps that the sweeper has to send."""
    return set(DispatchRow.objects.filter(published_at=None).values_list("path", flat=True))


def test_what_the_broker_takes_stays_published(ready: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker(takes=2)
    monkeypatch.setattr(current_app.amqp, "send_task_message", broker)

    assert dispatch.publish(*ready)

    assert sorted(broker.taken) == ["a", "b"]
    assert waiting() == set()


@pytest.mark.parametrize("takes", [0, 1])
def test_what_it_refuses_goes_back_whole_and_it_is_left_alone_for_a_while(
    ready: Ready, monkeypatch: pytest.MonkeyPatch, takes: int
) -> None:
    broker = Broker(takes=takes)
    monkeypatch.setattr(current_app.amqp, "send_task_message", broker)

    assert not dispatch.publish(*ready)
    assert not dispatch.publish(*ready)

    assert waiting() == {"a", "b"}
    assert len(broker.taken) == takes
    assert dispatch.is_away()


def test_nothing_to_send_asks_nobody(ready: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current_app.amqp, "send_task_message", Broker(takes=0))

    assert dispatch.publish(ready[0], ready[1], [])
