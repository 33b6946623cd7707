"""Signals and events from the command line: what is recorded, what is refused, and that nothing is stored then."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import flow
from workflows_app.engine.errors import InputInvalid, StateForbids
from workflows_app.models import AuditEntry, Event, Instance, PublishedEvent, Wakeup
from workflows_app.selectors import results
from workflows_app.services import instances, signals

WAITS = flow("  - {id: pay, receive: {event: payment.received, correlate: '4711'}}")
EARLY = flow("  - {id: pause, wait: {for: 1h}}\n  - {id: pay, receive: {event: payment.received, correlate: '4711'}}")


def workflow(*arguments: str) -> tuple[int, str, str]:
    """Run the command; return its exit code, standard output and standard error."""
    out, err = StringIO(), StringIO()
    try:
        call_command("workflow", *arguments, stdout=out, stderr=err)
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def nothing_is_stored() -> bool:
    acts = AuditEntry.objects.filter(action__in=["instance.signalled", "event.published"])
    return not (PublishedEvent.objects.exists() or Wakeup.objects.exists() or acts.exists())


def test_a_signal_needs_no_key_and_says_who_sent_it(driver: Driver) -> None:
    instance = driver.start(WAITS)

    code, out, _ = workflow("signal", str(instance.pk), "payment.received", "--data", '{"a": 1}', "--format", "json")
    view = driver.run(instance)

    answer = json.loads(out)
    assert (code, answer["id"], answer["event"]) == (0, str(instance.pk), "payment.received")
    assert view["state"] == "completed"
    received = Event.objects.get(instance=instance, step="pay", type="step.completed")
    assert received.data["output"]["id"] == answer["event_id"]
    assert received.data["output"]["data"] == {"a": 1}
    assert received.data["output"]["correlate"] is None
    assert received.data["output"]["source"] == {"actor": received.actor, "instance": None, "step": None}
    act = AuditEntry.objects.get(action="instance.signalled", target=str(instance.pk))
    assert (act.actor, act.data) == (received.actor, {"event": "payment.received", "event_id": answer["event_id"]})


def test_a_signal_is_kept_for_a_step_that_does_not_wait_yet(driver: Driver) -> None:
    instance, other = driver.start(EARLY), driver.start(EARLY)

    assert workflow("signal", str(instance.pk), "payment.received")[0] == 0
    driver.run(instance)
    driver.run(other)

    assert results.instance_view(instance.pk)["state"] == "completed"
    assert results.instance_view(other.pk)["steps"]["pay"] == "waiting", "it was not meant"


def test_an_event_from_the_command_line_reaches_all_that_wait_for_its_key(driver: Driver) -> None:
    several = [driver.start(WAITS) for _ in range(2)]

    code, _, _ = workflow("emit", "payment.received", "--correlate", "4711", "--data", "[1]")
    driver.drain()

    assert code == 0
    assert {results.instance_view(each.pk)["state"] for each in several} == {"completed"}
    assert AuditEntry.objects.get(action="event.published").data == {"correlate": "4711"}


@pytest.mark.parametrize("how", ["ended", "cancelled", "ending", "undoing"])
def test_an_instance_that_has_ended_or_is_ending_is_not_signalled(driver: Driver, how: str) -> None:
    steps = (
        "  - {id: work, activity: core.echo, compensate: {activity: core.echo}}\n  - {id: after, activity: core.echo}"
    )
    instance = driver.start(flow(steps))
    claim = driver.claim_next(instance.pk)
    if how in ("ended", "undoing"):
        driver.work(claim)
    if how == "ended":
        driver.drain()
    else:
        instances.cancel(instance_id=instance.pk, actor="ada", compensate=how == "undoing")
    if how == "cancelled":
        driver.work(claim)

    code, out, err = workflow("signal", str(instance.pk), "payment.received", "--format", "json")

    assert (code, out) == (1, "")
    assert json.loads(err)["error"]["code"] == "STATE_FORBIDS"
    assert nothing_is_stored()
    if how == "ending":
        driver.work(claim)


@pytest.mark.parametrize("unknown", ["1e6b9d2c-0000-4000-8000-000000000000", "no-id"])
def test_an_unknown_instance_is_not_signalled(db: None, unknown: str) -> None:
    code, _, err = workflow("signal", unknown, "payment.received", "--format", "json")

    assert (code, json.loads(err)["error"]["code"]) == (1, "INSTANCE_NOT_FOUND")
    assert nothing_is_stored()


@pytest.mark.parametrize("name", ["", " ", "two words", "a\nb", "drop;table", "é", "x" * 201, ".a", "\x00"])
def test_what_is_no_type_of_event_is_refused(driver: Driver, name: str) -> None:
    instance = driver.start(WAITS)

    for verb in (["signal", str(instance.pk), name], ["emit", name, "--correlate", "k"]):
        code, _, err = workflow(*verb, "--format", "json")
        assert (code, json.loads(err)["error"]["code"]) == (1, "INVALID_EVENT")
    assert nothing_is_stored()


@pytest.mark.parametrize(
    ("data", "code"),
    [("{", "NOT_JSON"), ("NaN", "NOT_JSON"), ('{"a": 1, "a": 2}', "NOT_JSON"), (str(2**64), "INTEGER_RANGE")],
)
def test_data_that_cannot_be_stored_is_refused(driver: Driver, data: str, code: str) -> None:
    instance = driver.start(WAITS)

    exit_code, _, err = workflow("signal", str(instance.pk), "payment.received", "--data", data, "--format", "json")

    error = json.loads(err)["error"]
    assert (exit_code, error["code"], error["problems"][0]["path"]) == (1, code, "data")
    assert nothing_is_stored()


def test_data_beyond_the_limit_is_refused(driver: Driver, settings: Any) -> None:
    settings.ORCHESTRATOR_MAX_INPUT_BYTES = 100
    instance = driver.start(WAITS)

    with pytest.raises(InputInvalid) as signalled:
        signals.signal(instance_id=instance.pk, event="payment.received", data="x" * 99, actor="ada")
    with pytest.raises(InputInvalid) as published:
        signals.publish(event="payment.received", correlate="4711", data="x" * 99, actor="ada")

    assert {signalled.value.code, published.value.code} == {"TOO_LARGE"}
    assert nothing_is_stored()
    signals.signal(instance_id=instance.pk, event="payment.received", data="x" * 98, actor="ada")


@pytest.mark.parametrize("key", ["", "a\nb", "x" * 201, "\x00"])
def test_a_key_that_nothing_can_wait_for_is_refused(db: None, key: str) -> None:
    code, _, err = workflow("emit", "payment.received", "--correlate", key, "--format", "json")

    assert (code, json.loads(err)["error"]["code"]) == (1, "INVALID_KEY")
    assert nothing_is_stored()


def test_what_is_shown_of_a_waiting_instance_says_what_it_waits_for(driver: Driver) -> None:
    instance = driver.start(WAITS)

    _, text, _ = workflow("show", str(instance.pk))
    awaited = json.loads(workflow("show", str(instance.pk), "--format", "json")[1])["awaited"]

    assert "pay waits for event payment.received with key 4711 since 2026-01-01T00:00:00Z" in text
    assert awaited == [
        {"step": "pay", "event": "payment.received", "correlate": "4711", "since": "2026-01-01T00:00:00Z"}
    ]


def test_two_signals_at_an_instance_that_takes_one_leave_the_other_until_it_ends(driver: Driver) -> None:
    instance = driver.start(WAITS)
    for number in (1, 2):
        signals.signal(instance_id=instance.pk, event="payment.received", data=number, actor="ada")

    driver.run(instance)

    taken = Event.objects.get(instance=instance, step="pay", type="step.completed").data["output"]["data"]
    assert taken == 1
    with pytest.raises(StateForbids):
        signals.signal(instance_id=instance.pk, event="payment.received", actor="ada")
    assert Instance.objects.get(pk=instance.pk).state == "completed"
