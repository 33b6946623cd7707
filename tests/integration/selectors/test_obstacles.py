"""Why an instance is not moving: one sentence, from stored facts, for any number of instances at once."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from workflows_app.models import Instance
from workflows_app.selectors import obstacles
from workflows_app.selectors.obstacles import Kind
from workflows_app.services import holds, instances, interventions, presence, steps

ECHO = "\n  - {id: a, activity: core.echo, with: {x: 1}}"


def why(instance: Instance) -> str:
    return obstacles.sentence(obstacles.of_one(instance.pk))


def kinds(instance: Instance) -> list[Kind]:
    return [each.kind for each in obstacles.of_one(instance.pk)]


def is_stuck(instance: Instance) -> bool:
    return any(each.stuck for each in obstacles.of_one(instance.pk))


def worker(*queues: str, name: str = "default@host") -> presence.Sign:
    sign = presence.Sign(kind="worker", name=name, queues=queues, processes=4)
    sign.give()
    return sign


def test_a_step_on_a_queue_that_nobody_serves_says_so(driver: Driver) -> None:
    worker("other")
    instance = driver.start(flow("\n  - {id: a, activity: core.echo, queue: gpu}"))
    driver.advance(20)

    assert (
        why(instance)
        == "“a” waits for a worker on the queue “gpu” for 20.0 s: no worker takes anything from this queue."
    )
    assert not is_stuck(instance)
    driver.advance(45)
    assert is_stuck(instance)


def test_a_step_on_a_queue_that_is_served_waits_for_a_free_worker_until_the_worker_is_silent(driver: Driver) -> None:
    sign = worker("default")
    instance = driver.start(flow(ECHO))
    driver.advance(20)

    assert why(instance) == "“a” waits for a worker on the queue “default” for 20.0 s."
    driver.advance(20)
    assert kinds(instance) == [Kind.NO_WORKER]
    sign.give()
    assert kinds(instance) == [Kind.QUEUED]
    sign.withdraw()
    assert kinds(instance) == [Kind.NO_WORKER]


def test_a_step_is_called_what_people_call_it(driver: Driver) -> None:
    instance = driver.start(flow("\n  - {id: a, name: Take it, activity: core.echo}"))
    driver.claim_next()

    assert why(instance) == "Running “Take it” (a) for 0 ms."


def test_a_running_step_is_named_and_a_silent_one_is_called_lost(driver: Driver) -> None:
    instance = driver.start(flow(ECHO))
    driver.claim_next()
    driver.advance(5)

    assert why(instance) == "Running “a” for 5.0 s."
    driver.advance(60)
    assert kinds(instance) == [Kind.LOST]
    assert "is the sweeper running?" in why(instance)
    assert is_stuck(instance)


def test_a_retry_says_which_attempt_of_how_many_and_when(driver: Driver) -> None:
    driver.perform = {"a": fail()}
    retry = "retry: {max_attempts: 5, initial_interval: 40s, jitter: 0}"
    instance = driver.start(flow(f"\n  - {{id: a, activity: core.echo, {retry}}}"))
    driver.drain()

    assert why(instance) == "Attempt 2 of 5 of “a” in 40.0 s, after BROKEN: it broke."
    driver.advance(60)
    assert why(instance) == "A timer of “a” is overdue by 20.0 s: is the sweeper running?"
    assert is_stuck(instance)


def test_a_pause_and_a_hold_name_who_and_why(driver: Driver) -> None:
    instance, other = driver.start(flow(ECHO)), driver.start(flow(ECHO, name="other"))

    interventions.pause(instance_id=instance.pk, actor="bob", reason="the bank is down")
    holds.hold(kind=holds.Kind.DEFINITION, name="other", actor="eve", reason="")

    assert why(instance) == "Paused by bob since 2026-01-01 00:00:00 UTC: the bank is down."
    assert why(other) == "The workflow other is paused by eve since 2026-01-01 00:00:00 UTC."
    holds.release(kind=holds.Kind.DEFINITION, name="other", actor="eve")
    holds.hold(kind=holds.Kind.QUEUE, name="default", actor="eve", reason="no disk")
    assert why(other) == "The queue default is paused by eve since 2026-01-01 00:00:00 UTC: no disk."
    driver.advance(600)
    assert not is_stuck(other)


def test_a_slot_names_its_holder(driver: Driver) -> None:
    document = flow(ECHO, head='concurrency: {limit: 1, key: "${ input.customer }"}')
    first = driver.start(document, {"customer": "c-7"})
    second = driver.start(document, {"customer": "c-7"})

    assert why(second) == f"Waits for the one place of customer c-7, held by {first.pk}; it is the next."


def test_an_event_a_time_people_and_another_workflow_are_named(driver: Driver) -> None:
    waits = driver.start(flow("\n  - {id: w, wait: {for: 1d}}", name="w"))
    receives = driver.start(
        flow('\n  - {id: r, receive: {event: payment.received, correlate: "o-1", timeout: 1d}}', name="r")
    )
    chooses = driver.start(
        flow("\n  - {id: s, adhoc: {assign: {group: adjusters}, steps: [{id: a, activity: core.echo}]}}", name="s")
    )
    driver.start(flow("\n  - {id: x, wait: {for: 1d}}", name="inner"))
    calls = driver.start(flow("\n  - {id: c, call: {workflow: inner, version: 1.0.0}}", name="c"))
    driver.drain()

    assert why(waits) == "“w” waits until 2026-01-02 00:00:00 UTC."
    assert why(receives) == (
        "“r” waits for the event payment.received with the key o-1 since 2026-01-01 00:00:00 UTC, "
        "at most until 2026-01-02 00:00:00 UTC."
    )
    assert why(chooses) == "“s” waits for people to choose what is next: the group adjusters."
    child = Instance.objects.get(parent=calls)
    assert why(calls) == f"“c” waits for inner ({child.pk}) since 2026-01-01 00:00:00 UTC."


def test_a_worker_that_lacks_the_activity_is_no_ordinary_retry(driver: Driver) -> None:
    instance = driver.start(flow(ECHO))
    claim = driver.claim_next()
    assert claim
    error = {"code": "EXECUTOR_NOT_FOUND", "message": "No activity core.echo@9.0.0 is registered on this worker"}
    steps.postponed(claim=claim, error={**error, "details": {}, "recoverable": True}, seconds=10)

    assert kinds(instance) == [Kind.NO_ACTIVITY]
    assert why(instance) == (
        "“a” waits for a worker that has its activity: No activity core.echo@9.0.0 is registered on this worker."
    )


def test_a_call_that_waits_for_its_turn_is_no_failure(driver: Driver) -> None:
    instance = driver.start(flow(ECHO))
    claim = driver.claim_next()
    assert claim
    error = {"code": "RATE_LIMITED", "message": "as often as it may be", "details": {}, "recoverable": True}
    steps.postponed(claim=claim, error=error, seconds=10)

    assert kinds(instance) == [Kind.TURN]
    assert why(instance) == "“a” has its turn under a rate limit in 10.0 s."


def test_what_has_ended_waits_for_nothing(driver: Driver) -> None:
    instance = driver.start(flow(ECHO))
    driver.run(instance)

    assert obstacles.of_one(instance.pk) == []
    assert obstacles.of([UUID(int=0)]) == {}


def test_many_instances_cost_as_many_statements_as_one(driver: Driver) -> None:
    driver.perform = {"a": fail()}
    retry = flow("\n  - {id: a, activity: core.echo, retry: {max_attempts: 5, initial_interval: 40s}}")
    first = driver.start(retry)
    many = [driver.start(retry) for _ in range(15)]
    many += [driver.start(flow("\n  - {id: w, wait: {for: 1d}}", name="w")) for _ in range(5)]
    interventions.pause(instance_id=many[3].pk, actor="bob")
    driver.drain()

    def cost(ids: list[UUID]) -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            obstacles.of(ids)
        return len(queries)

    obstacles.of([row.pk for row in many])  # what versions say of their steps is read once
    assert cost([row.pk for row in many]) == cost([first.pk])


def test_the_command_says_why(driver: Driver, capsys: pytest.CaptureFixture[str]) -> None:
    from django.core.management import call_command

    instance = driver.start(flow(ECHO))
    instances.terminate(instance_id=driver.start(flow(ECHO)).pk, actor="ada")
    driver.advance(90)

    call_command("workflow", "why", str(instance.pk), "--format", "json")
    document = json.loads(capsys.readouterr().out)
    call_command("workflow", "why", str(instance.pk))
    text = capsys.readouterr().out

    assert document["stuck"]
    assert document["why"][0]["kind"] == "no_worker"
    assert document["sentence"] in text
    assert "“a” waits for a worker on the queue “default” for 1 min 30 s" in text


def test_an_unknown_instance_is_refused(db: None) -> None:
    from django.core.management import call_command

    with pytest.raises(SystemExit) as refused:
        call_command("workflow", "why", str(UUID(int=1)))

    assert refused.value.code == 1


def test_silent_processes_are_forgotten(driver: Driver) -> None:
    worker("default")
    driver.advance(601)
    worker("default", name="other@host")

    assert presence.forget_silent() == 1
