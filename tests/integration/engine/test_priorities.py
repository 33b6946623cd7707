"""Priorities: what leaves first when a queue's window is full, and that nothing waits for ever."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from tests.integration.driver import Driver
from workflows_app.engine.priority import HEAD_START
from workflows_app.models import Dispatch, Instance
from workflows_app.services import definitions, instances, steps, sweep

WORDS = ("low", "normal", "high", "critical")


@pytest.fixture(autouse=True)
def narrow(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ORCHESTRATOR_WINDOW = 1
    monkeypatch.setattr("workflows_app.dispatch.publish", lambda *_: True)


def publish(word: str, more: str = "") -> None:
    definitions.publish(
        text=f"workflow: {word}\nversion: 1.0.0\npriority: {word}\nsteps:\n  - {{id: a, activity: core.echo{more}}}\n",
        actor="ada",
    )


def start(word: str) -> Instance:
    return instances.start(name=word, actor="ada")


def leave_in_order() -> list[str]:
    """Take what the queue gives, one message at a time, and say whose it was."""
    order = []
    while True:
        row = Dispatch.objects.filter(published_at__isnull=False).select_related("instance").first()
        if row is None:
            sweep.run()
            row = Dispatch.objects.filter(published_at__isnull=False).select_related("instance").first()
        if row is None:
            return order
        order.append(row.instance.workflow)
        claim = steps.claim(instance_id=row.instance_id, path=row.path, generation=row.generation, worker="w")
        assert claim is not None
        steps.succeeded(claim=claim, output=None)


@pytest.fixture
def queue(driver: Driver) -> Driver:
    """A queue whose window is taken by somebody."""
    for word in WORDS:
        publish(word)
    definitions.publish(text="workflow: first\nversion: 1.0.0\nsteps:\n  - {id: a, activity: core.echo}\n", actor="ada")
    start("first")
    return driver


def test_the_more_urgent_leaves_first_and_among_equals_the_older(queue: Driver) -> None:
    for word in (*WORDS, *WORDS):
        start(word)
        queue.advance(1)

    assert leave_in_order() == ["first", *(word for word in reversed(WORDS) for _ in range(2))]


def test_each_level_is_a_head_start_so_that_none_waits_for_ever(queue: Driver) -> None:
    start("low")
    queue.advance(HEAD_START + 1)
    start("normal")
    queue.advance(HEAD_START + 1)
    start("high")
    start("normal")
    queue.advance(2 * HEAD_START - 1)
    start("critical")

    assert leave_in_order() == ["first", "low", "normal", "high", "critical", "normal"]


def test_a_step_s_own_priority_beats_the_document_s(queue: Driver) -> None:
    definitions.publish(
        text="workflow: mixed\nversion: 1.0.0\npriority: low\nsteps:\n"
        "  - {id: a, activity: core.echo, needs: [], priority: critical}\n"
        "  - {id: b, activity: core.echo, needs: []}\n"
        "  - {id: c, activity: core.echo, needs: [], priority: normal}\n",
        actor="ada",
    )
    mixed = instances.start(name="mixed", actor="ada")

    rows = Dispatch.objects.filter(instance=mixed).order_by("path")
    distances = [(row.created_at - (row.rank or row.created_at)).total_seconds() for row in rows]
    assert distances == [2 * HEAD_START, -HEAD_START, 0]
    assert [row.rank is None for row in rows] == [False, False, True]


def test_the_next_step_of_the_hot_path_is_held_back_with_its_priority(queue: Driver) -> None:
    definitions.publish(
        text="workflow: two\nversion: 1.0.0\npriority: high\nsteps:\n  - {id: a, activity: core.echo}\n"
        "  - {id: b, activity: core.echo}\n",
        actor="ada",
    )
    two = instances.start(name="two", actor="ada")
    claim = steps.claim(instance_id=two.pk, path="a", generation=1, worker="w")

    steps.succeeded(claim=claim, output=None)

    row = Dispatch.objects.get(instance=two)
    assert (row.path, row.published_at) == ("b", None)
    assert (row.created_at - row.rank).total_seconds() == HEAD_START


def test_without_priorities_no_rank_is_written_and_an_index_gives_the_order(queue: Driver) -> None:
    for _ in range(50):
        start("normal")

    assert not Dispatch.objects.exclude(rank=None).exists()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT d.id FROM workflows_app_dispatch d WHERE d.queue = 'default' AND d.published_at IS NULL "
            "ORDER BY coalesce(d.rank, d.created_at), d.id LIMIT 10 FOR UPDATE SKIP LOCKED"
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "dispatch_held_back" in plan
    assert "Sort" not in plan
