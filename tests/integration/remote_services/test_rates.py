"""Rate limits: an operation is called so often over all workers; who has to wait has a turn, and loses no attempt."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.integration.activities.conftest import Site
from tests.integration.driver import Driver
from tests.integration.remote_services.calls import called, calling, error
from tests.integration.remote_services.conftest import SERVICE
from workflows_app.models import Instance, Turn
from workflows_app.selectors import results
from workflows_app.services import instances, interventions, service_calls

CHARGES = "/accounts/7/charges"


def limited(rate: str) -> str:
    return SERVICE.replace('/charges"}', f'/charges", rate: {{{rate}}}}}')


@pytest.fixture
def slow(bank: Site, register: Callable[[str], Any]) -> Site:
    """Two charges at once, then one every five seconds."""
    bank.answers(CHARGES, 201)
    register(limited("limit: 2, per: 10s"))
    return bank


def started(driver: Driver, number: int) -> list[Instance]:
    found = [driver.start(calling(), {}) for _ in range(number)]
    driver.drain()
    return found


def test_calls_beyond_the_rate_wait_for_their_turns_and_lose_no_attempt(driver: Driver, slow: Site) -> None:
    began = driver.now
    waiting = started(driver, 5)

    assert len(slow.seen) == 2
    due = Turn.objects.order_by("due_at").values_list("due_at", flat=True)
    assert [(at - began).total_seconds() for at in due] == [5, 10, 15]
    view = results.instance_view(waiting[2].pk)
    assert view["steps"] == {"pay": "retrying"}
    assert error(view)["code"] == "RATE_LIMITED"
    assert error(view)["details"] == {"status": 0, "retry_after": 5.0}
    assert view["effects"] == []

    views = [driver.run(instance) for instance in waiting]
    assert [view["state"] for view in views] == ["completed"] * 5
    assert [[a["state"] for a in view["attempts"]] for view in views[2:]] == [["cancelled", "succeeded"]] * 3
    assert driver.now - began == timedelta(seconds=15)
    assert len(slow.seen) == 5
    assert not Turn.objects.exists()


def test_a_new_rate_counts_anew_and_turns_that_were_given_stay(
    driver: Driver, slow: Site, register: Callable[[str], Any]
) -> None:
    waiting = started(driver, 3)[2]
    register(limited("limit: 1, per: 1s"))

    started(driver, 1)

    assert len(slow.seen) == 3
    assert driver.run(waiting)["state"] == "completed"


def test_who_asks_before_its_turn_gets_no_second_one(driver: Driver, slow: Site) -> None:
    instance = started(driver, 3)[2]
    turn = Turn.objects.get()

    interventions.run_now(instance_id=instance.pk, step="pay", actor="ada", reason="now")
    driver.drain()

    assert Turn.objects.get() == turn
    assert len(slow.seen) == 2
    assert driver.run(instance)["state"] == "completed"


def test_a_failure_after_the_turn_needs_another_turn(driver: Driver, slow: Site) -> None:
    document = calling(more="retry: {max_attempts: 2, initial_interval: 0}")
    started(driver, 2)
    slow.answers(CHARGES, 500)
    instance = driver.start(document, {})
    driver.drain()
    began = driver.now

    view = driver.run(instance)

    assert (view["state"], view["error"]["code"]) == ("failed", "SERVICE_ERROR")
    assert [a["state"] for a in view["attempts"]] == ["cancelled", "failed", "cancelled", "failed"]
    assert driver.now - began == timedelta(seconds=10)


def test_a_burst_of_one_keeps_calls_apart_and_other_operations_go_on(
    driver: Driver, bank: Site, register: Callable[[str], Any]
) -> None:
    bank.answers(CHARGES, 201)
    bank.answers("/accounts/7", 200)
    register(limited("limit: 10, per: 10s, burst: 1"))

    started(driver, 2)

    assert len(bank.seen) == 1
    assert called(driver, calling("balance"))["state"] == "completed"


def test_a_cancelled_step_leaves_nothing_behind_that_anybody_waits_for(driver: Driver, slow: Site) -> None:
    waiting = started(driver, 3)[2]

    instances.cancel(instance_id=waiting.pk, actor="ada")

    assert results.instance_view(waiting.pk)["state"] == "cancelled"
    assert len(slow.seen) == 2


def test_where_the_row_is_too_long_the_call_fails_and_nobody_joins_it(
    driver: Driver, slow: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_calls, "LONGEST_REST", 6)

    views = [results.instance_view(instance.pk) for instance in started(driver, 4)]

    assert [view["state"] for view in views] == ["completed", "completed", "running", "failed"]
    assert views[3]["error"]["details"] == {"status": 0, "retry_after": 6}
    assert Turn.objects.count() == 1


def test_an_undo_waits_for_its_turn_too(driver: Driver, slow: Site) -> None:
    undo = calling().partition("with: ")[2].strip()
    document = f"""
workflow: undone
version: 1.0.0
steps:
  - {{id: a, activity: core.echo, compensate: {{activity: service.call, with: {undo}}}}}
  - {{id: b, fail: {{code: B}}}}
"""
    started(driver, 2)

    view = driver.run(driver.start(document))

    assert view["state"] == "compensated"
    assert len(slow.seen) == 3
