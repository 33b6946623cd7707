"""Calls under a limit in sessions of their own: never one too many but undos, none left behind, whoever dies."""

from __future__ import annotations

import random
from typing import Any

import pytest
from django.db import connection

from tests.integration.engine.outcomes import flow
from tests.integration.robustness.test_calls_between_sessions import claim, undo_whatever_is_left
from tests.integration.robustness.test_sessions import sweeper, together, unended, worker
from workflows_app import dispatch
from workflows_app.engine.errors import StateForbids
from workflows_app.models import Dispatch, Instance, Notice, Slot, SlotKey
from workflows_app.services import calls, definitions, instances, slots, steps, sweep, verification

LIMIT = 2
SECTION = flow(
    """
  - {id: enter, activity: core.echo, compensate: {activity: core.echo}}
  - {id: leave, activity: core.echo}
""",
    name="section",
    head=f"concurrency: {{limit: {LIMIT}}}",
)
CASE = flow("  - {id: inside, call: {workflow: section}}\n  - {id: after, activity: core.echo}", name="case")


@pytest.fixture(autouse=True)
def no_broker(committed_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "send", lambda *_: None)
    monkeypatch.setattr(dispatch, "depth", lambda queue: None)
    for document in (SECTION, CASE):
        definitions.publish(text=document, actor="ada")


def under_way() -> int:
    """Instances of the section that have begun and not ended, in one snapshot, without those that are being undone."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM workflows_app_instance WHERE workflow = 'section' AND ended_at IS NULL "
            "AND state = 'running'"
        )
        return int(cursor.fetchone()[0])


def test_the_end_of_one_begins_the_next_without_any_sweep() -> None:
    cases = [instances.start(name="case", actor="ada") for _ in range(LIMIT + 1)]
    below = [Instance.objects.get(parent=case) for case in cases]
    assert [each.state for each in below] == ["running", "running", "pending"]

    steps.succeeded(claim=claim(below[0]), output=None)
    steps.succeeded(claim=claim(below[0]), output=None)

    assert Instance.objects.get(pk=below[2].pk).state == "running"
    assert set(Dispatch.objects.values_list("instance_id", flat=True)) == {cases[0].pk, below[1].pk, below[2].pk}


def test_should_the_process_die_between_end_and_beginning_one_sweep_does_both(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [instances.start(name="case", actor="ada") for _ in range(LIMIT + 1)]
    below = [Instance.objects.get(parent=case) for case in cases]
    steps.succeeded(claim=claim(below[0]), output=None)
    with monkeypatch.context() as dies:
        dies.setattr(slots, "start_granted", lambda *_, **__: 0)
        dies.setattr(calls, "MOST_AT_ONCE", 0)
        steps.succeeded(claim=claim(below[0]), output=None)
    assert Instance.objects.get(pk=below[2].pk).state == "pending"
    assert Notice.objects.get().kind == "ended"
    assert [verification.check_replay(each.pk) for each in (*cases, *below)] == [[]] * 6

    swept = sweep.run()

    assert (swept.begun, swept.handed_over) == (1, 1)
    assert Instance.objects.get(pk=below[2].pk).state == "running"
    assert Dispatch.objects.get(instance=cases[0]).path == "after"


def test_callers_that_fail_and_are_ended_while_workers_and_sweepers_run_leave_no_place_taken(settings: Any) -> None:
    settings.ORCHESTRATOR_RESEND_SECONDS = 0.001
    started = [instances.start(name="case", actor="ada") for _ in range(12)]
    most = [under_way()]

    def sometimes(chance: random.Random) -> dict[str, Any] | None:
        error = {"code": "BOOM", "message": "no", "details": {}, "recoverable": False}
        return error if chance.random() < 0.15 else None

    def operator() -> None:
        chance = random.Random(4711)
        victims = [started[3], *Instance.objects.filter(parent__in=started[5:7]), started[9]]
        for instance in victims:
            end = chance.choice([instances.cancel, instances.terminate])
            try:
                end(instance_id=instance.pk, actor="ada")
            except StateForbids:
                continue

    def watcher() -> None:
        while unended():
            most.append(under_way())

    raised = together(*[worker(seed, sometimes) for seed in range(3)], sweeper, sweeper, operator, watcher)

    assert raised == []
    undo_whatever_is_left()
    assert max(most) == LIMIT
    assert not Instance.objects.filter(ended_at=None).exists()
    assert not Slot.objects.exists()
    assert not SlotKey.objects.exists()
    for instance in Instance.objects.all():
        assert verification.verify_history(instance.pk) is None
        assert verification.check_replay(instance.pk) == []
