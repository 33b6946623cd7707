"""What a step that waits for an event gets, and what becomes of the events that nobody waits for yet."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, transaction

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import flow
from workflows_app.engine.errors import AttemptCancelled
from workflows_app.models import Consumption, Event, Instance, PublishedEvent, Subscription, Timer, Wakeup
from workflows_app.selectors import results
from workflows_app.services import instances, signals, sweep

PAID = "  - {id: pay, receive: {event: payment.received, correlate: '${ input.order }'}}\n"
TWO = """
  - {id: one, needs: [], receive: {event: ping, correlate: k}}
  - {id: two, needs: [], receive: {event: ping, correlate: k}}
"""


def states(instance: Instance) -> dict[str, str]:
    return dict(results.instance_view(instance.pk)["steps"])


def output(instance: Instance, step: str) -> Any:
    return Event.objects.get(instance=instance, step=step, type="step.completed").data["output"]


def publish(event: str, key: str, data: Any = None) -> None:
    signals.publish(event=event, correlate=key, data=data, actor="bank")


def test_an_event_of_the_type_and_key_completes_the_step_and_is_its_output(driver: Driver) -> None:
    instance = driver.start(flow(PAID, head='output: "${ steps.pay.output.data.amount }"'), {"order": 4711})
    assert states(instance) == {"pay": "waiting"}

    publish("payment.refused", "4711")
    publish("payment.received", "4712")
    driver.drain()
    assert states(instance) == {"pay": "waiting"}
    publish("payment.received", "4711", {"amount": 7})
    view = driver.run(instance)

    assert (view["state"], view["output"]) == ("completed", 7)
    received = output(instance, "pay")
    assert received | {"id": 0} == {
        "id": 0,
        "type": "payment.received",
        "correlate": "4711",
        "data": {"amount": 7},
        "at": "2026-01-01T00:00:00+00:00",
        "source": {"actor": "bank", "instance": None, "step": None},
    }
    assert Event.objects.get(instance=instance, step="pay", type="step.completed").actor == "bank"
    assert not Subscription.objects.exists()
    assert not Wakeup.objects.exists()


def test_without_a_key_the_correlation_id_is_meant_on_both_sides(driver: Driver) -> None:
    waiting = driver.start(flow("  - {id: hear, receive: {event: said}}"), correlation_id="tour-1")
    other = driver.start(flow("  - {id: hear, receive: {event: said}}"), correlation_id="tour-2")

    saying = driver.start(
        flow("  - {id: say, emit: {event: said, data: {n: '${ 1 + 1 }'}}}", name="saying"), correlation_id="tour-1"
    )
    driver.drain()

    assert states(waiting) == {"hear": "completed"}
    assert states(other) == {"hear": "waiting"}
    received = output(waiting, "hear")
    assert received["data"] == {"n": 2}
    assert received["source"] == {"actor": "engine", "instance": str(saying.pk), "step": "say"}
    told = Event.objects.get(instance=saying, step="say").data
    assert told["output"] is None
    assert told["published"] == {"type": "said", "correlate": "tour-1", "data": {"n": 2}}


def test_an_event_that_comes_before_its_waiter_is_kept_for_its_retention(driver: Driver, settings: Any) -> None:
    settings.ORCHESTRATOR_EVENT_RETENTION = 3600.0
    publish("payment.received", "a")
    driver.advance(3599)

    in_time = driver.run(driver.start(flow(PAID), {"order": "a"}))
    driver.advance(1)
    late = driver.start(flow(PAID), {"order": "a"})
    driver.drain()

    assert in_time["state"] == "completed"
    assert states(late) == {"pay": "waiting"}
    assert sweep.run().expired == 1
    assert not PublishedEvent.objects.exists()
    assert not Consumption.objects.exists()


def test_every_waiter_gets_an_event_each_instance_once(driver: Driver) -> None:
    several = [driver.start(flow(PAID), {"order": "a"}) for _ in range(3)]
    twice = driver.start(flow(TWO.replace("ping", "payment.received").replace("k}", "a}"), name="twice"))

    publish("payment.received", "a", 1)
    driver.drain()
    assert [states(each)["pay"] for each in several] == ["completed"] * 3
    assert states(twice) == {"one": "completed", "two": "waiting"}
    publish("payment.received", "a", 2)
    driver.drain()

    assert output(twice, "two")["data"] == 2
    assert Consumption.objects.filter(instance=twice).count() == 2


def test_events_are_taken_in_order_of_arrival_kept_ones_and_signals_alike(driver: Driver) -> None:
    row = "\n".join(f"  - {{id: r{n}, receive: {{event: ping, correlate: k}}}}" for n in range(4))
    publish("ping", "k", "first")
    publish("ping", "k", "second")
    instance = driver.start(flow("  - {id: pause, wait: {for: 1h}}\n" + row))
    signals.signal(instance_id=instance.pk, event="ping", data="third", actor="ada")
    publish("ping", "k", "fourth")

    driver.run(instance)

    assert [output(instance, f"r{n}")["data"] for n in range(4)] == ["first", "second", "third", "fourth"]


def test_what_its_condition_does_not_hold_for_a_step_passes_over_and_another_may_take_it(driver: Driver) -> None:
    picky = "  - {id: big, needs: [], receive: {event: bid, correlate: k, where: event.data > input.least}}\n"
    easy = "  - {id: any, needs: [pause], receive: {event: bid, correlate: k}}\n"
    instance = driver.start(flow(picky + "  - {id: pause, needs: [], wait: {for: 1h}}\n" + easy), {"least": 10})

    for data in (3, 4, 11):
        publish("bid", "k", data)
    driver.drain()
    assert output(instance, "big")["data"] == 11
    driver.run(instance)

    assert output(instance, "any")["data"] == 3, "the oldest that is left"


def test_many_that_are_passed_over_do_not_hide_the_one_that_is_wanted(driver: Driver) -> None:
    for n in range(230):
        publish("bid", "k", n)

    instance = driver.start(flow("  - {id: r, receive: {event: bid, correlate: k, where: event.data == 229}}"))
    driver.drain()
    for _ in range(3):
        sweep.run()

    assert states(instance) == {"r": "completed"}
    history = Event.objects.filter(instance=instance).count()
    assert history == 4, "what is passed over leaves no trace"


@pytest.mark.parametrize("where", ["event.data.nothing > 1", "event.data"])
def test_a_condition_that_cannot_be_judged_fails_the_step(driver: Driver, where: str) -> None:
    instance = driver.start(flow(f"  - {{id: r, receive: {{event: bid, correlate: k, where: '{where}'}}}}"))

    publish("bid", "k", {"a": 1})
    view = driver.run(instance)

    assert (view["state"], view["error"]["code"]) == ("failed", "EXPRESSION_ERROR")
    assert not Subscription.objects.exists()


@pytest.mark.parametrize("key", ["${ null + 1 }", "${ {'a': 1} }", "${ '' }", "${ true }", "${ 1.5 }"])
@pytest.mark.parametrize("kind", ["receive", "emit"])
def test_a_key_that_is_no_text_fails_the_step(driver: Driver, kind: str, key: str) -> None:
    view = driver.run(driver.start(flow(f'  - {{id: s, {kind}: {{event: e, correlate: "{key}"}}}}')))

    assert (view["state"], view["error"]["code"]) == ("failed", "EXPRESSION_ERROR")
    assert not PublishedEvent.objects.exists()


@pytest.mark.parametrize(
    ("policy", "state"), [("fail", "failed"), ("continue", "completed"), ("{output: none}", "completed")]
)
def test_waiting_too_long_times_the_step_out(driver: Driver, policy: str, state: str) -> None:
    step = f"  - {{id: r, receive: {{event: e, timeout: 1h}}, on_error: {policy}}}\n"
    instance = driver.start(flow(step + "  - {id: after, activity: core.echo}"))

    driver.advance(3599)
    assert sweep.fire_timers() == 0
    view = driver.run(instance)

    assert view["state"] == state
    settled = Event.objects.get(instance=instance, step="r", type__in=["step.timed_out", "step.completed"])
    assert settled.data["error"]["code"] == "TIMEOUT"
    assert not Subscription.objects.exists()


def test_an_event_in_time_leaves_no_timer(driver: Driver) -> None:
    instance = driver.start(flow("  - {id: r, receive: {event: e, correlate: k, timeout: 1h}, deadline: 2h}"))
    assert Timer.objects.count() == 2

    publish("e", "k")
    driver.drain()

    assert states(instance) == {"r": "completed"}
    assert Timer.objects.count() == 0


def test_what_came_in_time_is_taken_though_the_sweeper_comes_late(driver: Driver) -> None:
    instance = driver.start(flow("  - {id: r, receive: {event: e, correlate: k, timeout: 1h}}"))
    driver.advance(3000)
    publish("e", "k")

    driver.advance(3000)
    sweep.run()

    assert states(instance) == {"r": "completed"}


def test_an_instance_takes_what_it_publishes_itself(driver: Driver) -> None:
    instance = driver.start(
        flow(
            """
  - {id: ask, needs: [], receive: {event: e}}
  - {id: tell, needs: [], emit: {event: e, data: 1}}
  - {id: again, needs: [], emit: {event: e, data: 2}}
  - {id: late, needs: [ask], receive: {event: e}}
"""
        )
    )

    view = driver.run(instance)

    assert view["state"] == "completed"
    assert (output(instance, "ask")["data"], output(instance, "late")["data"]) == (1, 2)


def test_the_waiting_of_a_branch_that_lost_ends_and_the_event_reaches_nobody_twice(driver: Driver) -> None:
    race = """
  - id: which
    parallel:
      join: any
      rest: cancel
      branches:
        yes: [{id: accepted, receive: {event: accepted, correlate: k}}, {id: pack, activity: core.echo}]
        no: [{id: declined, receive: {event: declined, correlate: k}}]
"""
    instance = driver.start(flow(race))

    publish("declined", "k")
    publish("accepted", "k")
    driver.drain()

    assert (states(instance)["declined"], states(instance)["accepted"]) == ("completed", "cancelled")
    assert Consumption.objects.filter(instance=instance).count() == 1
    assert not Subscription.objects.exists()
    assert driver.run(instance)["state"] == "completed"


@pytest.mark.parametrize("how", ["cancel", "terminate", "fail", "return"])
def test_the_waiting_ends_with_its_instance(driver: Driver, how: str) -> None:
    ends = {"fail": "fail: {code: NO}", "return": "return: {}"}.get(how, "wait: {for: 1h}")
    steps = f"  - {{id: r, needs: [], receive: {{event: e, correlate: k}}}}\n  - {{id: end, needs: [], {ends}}}"
    instance = driver.start(flow(steps))
    if how == "cancel":
        instances.cancel(instance_id=instance.pk, actor="ada")
    if how == "terminate":
        instances.terminate(instance_id=instance.pk, actor="ada")

    publish("e", "k")
    driver.drain()

    assert states(instance)["r"] == "cancelled"
    assert not Subscription.objects.exists()
    assert not Consumption.objects.exists()
    assert not Wakeup.objects.exists()


def test_an_activity_that_emits_at_its_success_publishes_with_it(driver: Driver) -> None:
    waiting = driver.start(flow("  - {id: r, receive: {event: shipped, correlate: k}}"))
    shipping = driver.start(
        flow(
            """
  - {id: ship, activity: core.echo, with: {parcel: 5}}
  - {id: tell, emit: {event: shipped, correlate: k, data: "${ steps.ship.output }"}}
""",
            name="shipping",
        )
    )
    assert not PublishedEvent.objects.exists()

    driver.drain()

    assert states(shipping) == {"ship": "completed", "tell": "completed"}
    assert output(waiting, "r")["data"] == {"parcel": 5}


def test_a_block_that_waits_is_over_when_told_to_stop(driver: Driver) -> None:
    def gives_way(claim: object) -> None:
        raise AttemptCancelled("told to stop")

    driver.perform = {"work": gives_way}
    instance = driver.start(
        flow(
            """
  - id: both
    timeout: 1h
    on_error: continue
    parallel: {branches: {a: [{id: r, receive: {event: e}}], b: [{id: work, activity: core.echo}]}}
"""
        )
    )
    running = driver.claim_next(instance.pk)
    driver.advance(3600)
    sweep.fire_timers()
    driver.work(running)

    assert states(instance)["r"] == "cancelled"
    assert not Subscription.objects.exists()


def test_a_published_event_is_never_changed(driver: Driver) -> None:
    publish("e", "k")

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        PublishedEvent.objects.update(type="other")
