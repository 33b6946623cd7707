"""The pages of a state machine: where it stands, what may happen now, and what it has come through."""

from __future__ import annotations

from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.integration.driver import Driver
from tests.integration.engine.order_machine import ORDER, paid, send
from tests.integration.engine.outcomes import fail
from tests.integration.ui.test_instance_page import plain, sentence, show
from workflows_app.models import Instance


def pending(driver: Driver) -> Instance:
    instance = driver.start(ORDER)
    send(instance, "checked", {"order": "o1"})
    driver.drain()
    return instance


def test_a_machine_that_waits_says_for_what_and_until_when(driver: Driver, pages: Client) -> None:
    instance = pending(driver)

    assert sentence(pages, instance) == "Waits in “pending” for one of pay, cancel, until 2026-01-01 02:00:00 UTC."
    page = plain(show(pages, instance))
    assert "In state pending" in page
    assert "Possible now" in page
    assert "event.data &gt; 0" in page
    assert "checked[0]" in page


def test_a_machine_that_works_says_at_what_and_how_many_events_wait(driver: Driver, pages: Client) -> None:
    instance = driver.start(ORDER)
    send(instance, "checked", {"order": "o1"})
    send(instance, "pay", 5)

    said = sentence(pages, instance)

    assert said.startswith("In “created”: the transition “checked[0]” is under way. 1 more event waits behind it.")
    assert "“checked[0].echo” waits for a worker on the queue “default”" in said


def test_a_transition_that_failed_is_shown_with_its_error(driver: Driver, pages: Client) -> None:
    driver.perform = {"checked[0].echo": fail()}
    instance = pending(driver)

    page = plain(show(pages, instance))

    assert "BROKEN" in page
    assert sentence(pages, instance).startswith("Waits in “created” for one of checked, cancel")


def test_a_machine_that_undoes_says_what(driver: Driver, pages: Client) -> None:
    instance = paid(driver)
    send(instance, "cancel")
    driver.claim_next(instance.pk)

    said = sentence(pages, instance)

    assert said == "In “paid”: the transition “cancel[2]” is under way. Undoing “pay[1].echo” for 0 ms, attempt 2."


def test_a_machine_at_its_end_says_where_it_ended(driver: Driver, pages: Client) -> None:
    instance = paid(driver)
    send(instance, "ship")

    assert sentence(pages, instance) == "Completed: the machine has reached “shipped”."
    assert "Possible now" not in show(pages, instance)


def test_the_definition_has_its_states_and_transitions(driver: Driver, viewer: User, pages: Client) -> None:
    viewer.user_permissions.add(Permission.objects.get(codename="view_definitionversion"))
    driver.start(ORDER)

    page = pages.get("/definitions/order/1.0.0/").content.decode()

    assert "States and transitions" in page
    assert "stateDiagram-v2" in page
