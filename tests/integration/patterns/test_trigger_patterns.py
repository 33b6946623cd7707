"""State-based choice and triggers: each definition shows what makes its pattern."""

from __future__ import annotations

import pytest

from tests.integration.driver import Driver
from tests.integration.patterns.scenes import HOUR, do, done, finish, pass_time, ready, shows, state, states
from workflows_app.models import Instance, Subscription
from workflows_app.services import signals, sweep


def send(instance: Instance, event: str) -> None:
    signals.signal(instance_id=instance.pk, event=event, actor="ada")
    sweep.hand_over_events()


@shows(16)
@pytest.mark.parametrize(
    ("event", "taken", "other"),
    [("offer.accepted", "deliver", "declined"), ("offer.declined", "thank", "accepted")],
)
def test_a_deferred_choice_is_made_by_the_event_that_comes_first(
    driver: Driver, document: str, event: str, taken: str, other: str
) -> None:
    instance = driver.start(document)
    waiting = {row.path for row in Subscription.objects.filter(instance=instance)}
    assert waiting == {"accepted", "declined"}, "both are possible until then"
    assert ready(instance) == set()

    send(instance, event)

    assert states(instance)[other] == "cancelled", "the other one is withdrawn at once"
    assert ready(instance) == {taken}
    for late in ("offer.accepted", "offer.declined"):
        send(instance, late)
    assert finish(driver, instance)["state"] == "completed"
    assert done(driver) == [taken]


@shows(16)
def test_of_two_events_that_are_there_already_the_older_one_chooses(driver: Driver, document: str) -> None:
    for event in ("offer.declined", "offer.accepted"):
        signals.publish(event=event, correlate="offer-7", actor="ada")

    finish(driver, driver.start(document, correlation_id="offer-7"))

    assert done(driver) == ["thank"]


@shows(23)
def test_a_transient_trigger_is_lost_unless_the_step_waits_for_it(driver: Driver, document: str) -> None:
    instance = driver.start(document)
    driver.advance(1)
    send(instance, "doorbell.rung")
    driver.advance(1)
    do(driver, instance, "unpack")
    pass_time(driver, HOUR)
    driver.drain()
    assert states(instance)["doorbell"] == "waiting", "it rang too early"

    send(instance, "doorbell.rung")

    assert ready(instance) == {"open_the_door"}
    assert finish(driver, instance)["state"] == "completed"
    assert done(driver) == ["unpack", "open_the_door"]


@shows(24)
@pytest.mark.parametrize("early", [True, False], ids=["before", "after"])
def test_a_persistent_trigger_is_kept_until_the_step_takes_it(driver: Driver, document: str, early: bool) -> None:
    instance = driver.start(document)
    if early:
        send(instance, "payment.received")
        pass_time(driver, HOUR)
    do(driver, instance, "pack")
    if not early:
        assert states(instance)["payment"] == "waiting"
        send(instance, "payment.received")

    view = finish(driver, instance)

    assert (state(instance), view["steps"]["payment"]) == ("completed", "completed")
    assert done(driver) == ["pack", "hand_over"], "once"
