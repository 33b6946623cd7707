"""Slots as users meet them: who starts at once, who waits, and who is next, whatever the ending before."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.integration.driver import Driver
from workflows_app.engine.errors import ActivityError, DefinitionInvalid, InputInvalid
from workflows_app.models import Dispatch, Event, Instance, Slot, SlotKey
from workflows_app.selectors import results
from workflows_app.services import decisions, definitions, instances, slots, steps, sweep, verification
from workflows_app.services.claims import COLUMNS

HEAD = "workflow: orders\nversion: 1.0.0\n"
LIMIT = 'concurrency: {limit: 2, key: "${ input.customer_id }"}\n'
STEPS = "steps:\n  - {id: a, activity: core.echo}\n  - {id: b, activity: core.echo}\n"
DOCUMENT = HEAD + LIMIT + STEPS


def start(driver: Driver, customer: Any = 4711, document: str = DOCUMENT, **options: Any) -> Instance:
    return driver.start(document, {"customer_id": customer}, **options)


def go_on() -> int:
    """What the process that ended an instance does after its commit, and the sweeper in its stead."""
    return slots.start_granted(decisions.begin, limit=sweep.BATCH)


def states(*started: Instance) -> list[str]:
    return [Instance.objects.get(pk=instance.pk).state for instance in started]


def finish(driver: Driver, instance: Instance) -> None:
    while (claim := driver.claim_next(instance.pk)) is not None:
        driver.work(claim)


def types(instance: Instance) -> list[str]:
    return list(Event.objects.filter(instance=instance).order_by("sequence").values_list("type", flat=True))


def test_beyond_the_limit_instances_are_pending_and_start_first_in_first_out(driver: Driver) -> None:
    first, second, third, fourth = (start(driver) for _ in range(4))

    assert [i.state for i in (first, second, third, fourth)] == ["running", "running", "pending", "pending"]
    assert third.started_at is None
    assert not Dispatch.objects.filter(instance__in=[third, fourth]).exists()
    finish(driver, second)
    assert go_on() == 1
    assert states(first, second, third, fourth) == ["running", "completed", "running", "pending"]
    finish(driver, first)
    go_on()
    assert states(third, fourth) == ["running", "running"]
    driver.drain()
    assert not Slot.objects.exists()
    assert not SlotKey.objects.exists()


def test_a_pending_instance_keeps_what_it_was_started_with(driver: Driver) -> None:
    document = (
        HEAD + "concurrency: {limit: 1}\nvariables: {v: 3}\ntimeout: 1h\nsteps:\n"
        '  - {id: a, activity: core.echo, with: {got: "${ input.n }", by: "${ instance.started_by }"}}\n'
        'output: {a: "${ steps.a.output }", v: "${ vars.v }"}\n'
    )
    first = driver.start(document, {"n": 1})
    second = driver.start(document, {"n": 2}, correlation_id="c-2")
    driver.advance(7200)
    finish(driver, first)
    go_on()

    view = driver.run(second)

    assert view["state"] == "completed", "its time runs from its start, not from when it was accepted"
    assert view["output"] == {"a": {"got": 2, "by": "ada"}, "v": 3}
    assert view["correlation_id"] == "c-2"
    row = Instance.objects.get(pk=second.pk)
    assert (row.created_at < row.started_at, row.started_at) == (True, driver.now)
    assert types(second)[:3] == ["instance.accepted", "instance.started", "step.scheduled"]
    accepted = Event.objects.get(instance=second, sequence=1)
    assert (accepted.actor, accepted.data["concurrency"]) == ("ada", {"key": "", "limit": 1})


def test_keys_do_not_wait_for_each_other_and_numbers_are_like_their_text(driver: Driver) -> None:
    mine = [start(driver, 1), start(driver, "1"), start(driver, 1.0)]
    other = start(driver, 2)

    assert [i.state for i in [*mine, other]] == ["running", "running", "pending", "running"]
    assert {i.concurrency_key for i in mine} == {"1"}


FAILING = HEAD + "concurrency: {limit: 1}\n" + STEPS
SAGA = (
    HEAD + "concurrency: {limit: 1}\nsteps:\n"
    "  - {id: a, activity: core.echo, compensate: {activity: core.echo}}\n  - {id: b, activity: core.echo}\n"
)
INLINE = HEAD + "concurrency: {limit: 1}\nsteps:\n  - {id: a, activity: core.echo}\n  - {id: z, set: {v: 1}}\n"
TIMED = HEAD + "concurrency: {limit: 1}\ntimeout: 1m\nsteps:\n  - {id: w, wait: {for: 1h}}\n"


def boom(claim: Any) -> None:
    raise ActivityError("no")


def completes(driver: Driver, instance: Instance) -> None:
    finish(driver, instance)


def fails(driver: Driver, instance: Instance) -> None:
    driver.perform = {"b": boom}
    finish(driver, instance)


def is_compensated(driver: Driver, instance: Instance) -> None:
    driver.perform = {"b": boom}
    driver.work(driver.claim_next(instance.pk))
    driver.work(driver.claim_next(instance.pk))
    assert states(instance) == ["compensating"]
    assert go_on() == 0, "an instance that is being undone holds its slot"
    finish(driver, instance)


def cannot_be_undone(driver: Driver, instance: Instance) -> None:
    driver.perform = {"b": boom, "undo_a": boom}
    finish(driver, instance)


def is_cancelled(driver: Driver, instance: Instance) -> None:
    instances.cancel(instance_id=instance.pk, actor="ada")


def is_terminated(driver: Driver, instance: Instance) -> None:
    instances.terminate(instance_id=instance.pk, actor="ada")


def times_out(driver: Driver, instance: Instance) -> None:
    driver.advance(61)
    sweep.fire_timers()


@pytest.mark.parametrize(
    ("document", "end", "state"),
    [
        (FAILING, completes, "completed"),
        (INLINE, completes, "completed"),
        (FAILING, fails, "failed"),
        (SAGA, is_compensated, "compensated"),
        (SAGA, cannot_be_undone, "compensation_failed"),
        (FAILING, is_cancelled, "cancelled"),
        (FAILING, is_terminated, "terminated"),
        (TIMED, times_out, "failed"),
    ],
    ids=["on the hot path", "by the engine", "failed", "undone", "not undone", "cancelled", "terminated", "timed out"],
)
def test_every_ending_hands_its_slot_over(driver: Driver, document: str, end: Any, state: str) -> None:
    first, second = driver.start(document, {}), driver.start(document, {})
    assert second.state == "pending"

    end(driver, first)

    assert states(first, second) == [state, "pending"]
    assert Slot.objects.get().state == "granted", "in the transaction of the ending itself"
    assert go_on() == 1
    assert states(second) == ["running"]
    instances.terminate(instance_id=second.pk, actor="ada")
    assert not SlotKey.objects.exists()


def test_instances_that_end_in_their_start_leave_no_slot_behind(driver: Driver) -> None:
    document = HEAD + "concurrency: {limit: 1}\nsteps:\n  - {id: z, set: {v: 1}}\n"

    started = [driver.start(document, {}) for _ in range(3)]

    assert [i.state for i in started] == ["completed"] * 3
    assert not Slot.objects.exists()


def test_a_row_of_instances_that_end_at_once_is_worked_off(driver: Driver) -> None:
    document = HEAD + 'concurrency: {limit: 1}\nsteps:\n  - {id: a, when: "${ input.n == 0 }", activity: core.echo}\n'
    first, *waiting = [driver.start(document, {"n": n}) for n in range(60)]
    finish(driver, first)

    assert go_on() == 59
    assert states(*waiting) == ["completed"] * 59


def test_a_pending_instance_is_cancelled_at_once_and_its_history_says_so(driver: Driver) -> None:
    document = SAGA
    first, second, third = (driver.start(document, {}) for _ in range(3))

    cancelled = instances.cancel(instance_id=second.pk, actor="bob", reason="not needed")

    assert (cancelled.state, cancelled.cause, cancelled.started_at) == ("cancelled", "cancelled", None)
    assert cancelled.error["message"] == "not needed"
    assert types(second) == ["instance.accepted", "instance.cancelled"]
    assert Event.objects.get(instance=second, sequence=2).actor == "bob"
    finish(driver, first)
    go_on()
    assert states(third) == ["running"]


def test_a_pending_instance_can_be_terminated(driver: Driver) -> None:
    first, second = driver.start(FAILING, {}), driver.start(FAILING, {})

    instances.terminate(instance_id=second.pk, actor="bob")

    assert states(first, second) == ["running", "terminated"]
    assert types(second) == ["instance.accepted", "instance.terminated"]
    assert Slot.objects.count() == 1


def test_one_that_got_its_slot_and_is_cancelled_before_it_starts_passes_it_on(driver: Driver) -> None:
    first, second, third = (driver.start(FAILING, {}) for _ in range(3))
    finish(driver, first)

    instances.cancel(instance_id=second.pk, actor="ada")

    assert go_on() == 1
    assert states(second, third) == ["cancelled", "running"]


def test_the_limit_is_the_version_s_own_over_the_instances_of_all(driver: Driver) -> None:
    narrow, wide = FAILING, FAILING.replace("1.0.0", "2.0.0").replace("limit: 1", "limit: 3")
    first, second = driver.start(wide, {}), driver.start(wide, {})
    third = driver.start(narrow, {})
    fourth = driver.start(wide, {})

    assert [i.state for i in (first, second, third, fourth)] == ["running", "running", "pending", "pending"]
    finish(driver, first)
    assert go_on() == 0, "nobody overtakes: the third still finds one running, and its version allows one"
    instances.cancel(instance_id=third.pk, actor="ada")
    assert go_on() == 1
    assert states(second, fourth) == ["running", "running"]


def test_a_key_stands_for_one_start_under_a_limit_too(driver: Driver) -> None:
    first, second = start(driver, idempotency_key="k"), start(driver, idempotency_key="k")

    assert first.pk == second.pk
    assert SlotKey.objects.get().held == 1


@pytest.mark.parametrize(
    ("input", "reason"),
    [
        ({}, "cannot be evaluated"),
        ({"customer_id": None}, "text, a number or a boolean"),
        ({"customer_id": [1]}, "text, a number or a boolean"),
        ({"customer_id": "x" * 201}, "at most 200 printable"),
        ({"customer_id": "a\nb"}, "at most 200 printable"),
    ],
)
def test_a_start_whose_key_is_none_is_refused_and_nothing_is_stored(driver: Driver, input: Any, reason: str) -> None:
    with pytest.raises(InputInvalid, match=reason) as refused:
        driver.start(DOCUMENT, input)

    assert refused.value.code == "CONCURRENCY_KEY"
    assert not Instance.objects.exists()
    assert not Slot.objects.exists()
    assert not SlotKey.objects.exists()


def test_the_key_may_read_the_input_only(driver: Driver) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        definitions.publish(text=DOCUMENT.replace("input.customer_id", "vars.x"), actor="ada")

    assert [(p.code, p.path) for p in refused.value.problems] == [("UNKNOWN_NAME", "concurrency.key")]


def test_show_says_what_it_waits_for(driver: Driver) -> None:
    started = [start(driver) for _ in range(5)]

    waits = [results.instance_view(i.pk)["waits_for"] for i in started]

    assert waits[:2] == [None, None]
    assert waits[2]["sentence"] == "Waits for one of 2 places of customer 4711; it is the next."
    assert waits[4]["sentence"] == "Waits for one of 2 places of customer 4711; 2 before it."
    assert (waits[4]["before"], waits[4]["limit"], waits[4]["key"]) == (2, 2, "4711")


def test_one_that_cannot_be_started_does_not_hold_up_the_others(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = start(driver, 1), start(driver, 1), start(driver, 1)
    fourth = start(driver, 1)
    driver.drain()
    real = decisions.take

    def take(*, instance_id: Any, **options: Any) -> Any:
        if instance_id == third.pk:
            raise RuntimeError("something unexpected")
        return real(instance_id=instance_id, **options)

    monkeypatch.setattr(decisions, "take", take)
    assert go_on() == 1
    assert states(first, second, third, fourth) == ["completed", "completed", "pending", "running"]
    assert go_on() == 0, "it is left alone for a minute"
    monkeypatch.setattr(decisions, "take", real)
    driver.advance(61)
    assert go_on() == 1


def test_a_pending_instance_that_nothing_would_start_is_found(driver: Driver) -> None:
    _, second = driver.start(FAILING, {}), driver.start(FAILING, {})
    point = transaction.savepoint()
    Slot.objects.filter(instance=second).delete()

    assert verification.check_replay(second.pk) == [
        "the instance is pending, but it waits for no slot and nothing is about to start it"
    ]

    transaction.savepoint_rollback(point)


def statements(driver: Driver, document: str) -> list[str]:
    """What a start and a run of two steps send to the database, once the process knows the version."""
    driver.start(document, {"customer_id": 1})
    instances.start(name="orders", actor="ada", input={"customer_id": 1})
    with CaptureQueriesContext(
        connection,
    ) as seen:
        instance = instances.start(name="orders", actor="ada", input={"customer_id": 1})
    found = [query["sql"].partition("(")[0] for query in seen]
    with CaptureQueriesContext(connection) as seen:
        claim = steps.claim(instance_id=instance.pk, path="a", generation=1, worker="w")
        steps.succeeded(claim=claim, output=None)
        steps.succeeded(claim=steps.claim(instance_id=instance.pk, path="b", generation=1, worker="w"), output=None)
    return found + [query["sql"].partition("(")[0] for query in seen]


def test_instances_without_a_limit_run_the_statements_that_they_always_did(driver: Driver) -> None:
    assert statements(driver, HEAD + STEPS) == [
        "SELECT wf_start",
        f"SELECT {', '.join(COLUMNS)} FROM wf_claim",
        "SELECT wf_advance_step",
        f"SELECT {', '.join(COLUMNS)} FROM wf_claim",
        "SELECT wf_advance_step",
    ]
