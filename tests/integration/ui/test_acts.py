"""Acts on the page of an instance: what follows is said before, a POST does it once, a refusal says why."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, fail_times, flow
from tests.integration.ui.conftest import browser
from tests.integration.ui.test_escaping import NASTY, harmless
from tests.integration.ui.test_instance_page import plain
from workflows_app.models import AuditEntry, Event, Instance, Step
from workflows_app.services import interventions
from workflows_app.ui.acts import ACTS

SAGA = """
  - {id: reserve, name: Reserve it, activity: core.echo, with: {x: 1}, compensate: {activity: core.echo, with: {}}}
  - {id: charge, activity: core.echo, with: {x: 1}, compensate: {activity: core.echo, with: {}}}
  - {id: ship, name: Ship it, activity: core.echo, with: {x: 2}}
"""
RETRYING = """
  - {id: a, name: Ask, activity: core.echo, with: {}, retry: {max_attempts: 3, initial_interval: 1h, jitter: 0}}
  - {id: b, activity: core.echo, with: {}}
"""


def address(instance: Instance | Any, act: str) -> str:
    return f"/instances/{getattr(instance, 'pk', instance)}/acts/{act}/"


def confirm(client: Client, instance: Instance, act: str, *, step: str = "", **form: str) -> Any:
    """Open an act's page and send its form."""
    page = client.get(address(instance, act), {"step": step} if step else {})
    hidden = {"step": step} if step else {}
    token = {"csrfmiddlewaretoken": str(page.context["csrf_token"])}
    return client.post(address(instance, act), {**token, **hidden, **form})


def stored(instance: Instance) -> Instance:
    return Instance.objects.get(pk=instance.pk)


def halfway(driver: Driver, **options: Any) -> Instance:
    """Two steps have completed, the third runs."""
    instance = driver.start(flow(SAGA, **options))
    for _ in range(2):
        driver.work(driver.claim_next())
    driver.claim_next()
    return instance


def test_the_page_offers_what_the_state_allows_to_those_who_may(
    driver: Driver, pages: Client, operator: Client
) -> None:
    running = driver.start(flow(SAGA))
    paused = driver.start(flow(SAGA, head="variables: {v: 0}", name="paused"))
    interventions.pause(instance_id=paused.pk, actor="ada")

    def offered(client: Client, instance: Instance) -> list[str]:
        return [name for name, _ in client.get(f"/instances/{instance.pk}/").context["offered"]]

    assert offered(operator, running) == ["pause", "cancel", "terminate"]
    assert offered(operator, paused) == ["resume", "set-variables", "cancel", "terminate"]
    driver.run(running)
    assert offered(operator, running) == []


def test_somebody_who_only_looks_is_offered_nothing_and_refused(driver: Driver, pages: Client) -> None:
    instance = driver.start(flow(SAGA))

    page = pages.get(f"/instances/{instance.pk}/").content.decode()

    assert "/acts/" not in page
    for name in ACTS:
        assert pages.get(address(instance, name)).status_code == 403
        assert browser(User.objects.get(username="vera")).post(address(instance, name)).status_code == 403
    assert stored(instance).state == "running"


def test_what_does_not_exist_is_not_found(driver: Driver, operator: Client) -> None:
    instance = driver.start(flow(SAGA))

    assert operator.get(address(uuid4(), "pause")).status_code == 404
    assert operator.get(address(instance, "destroy")).status_code == 404
    assert operator.get(address(instance, "skip"), {"step": "nobody"}).status_code == 404


def test_looking_at_an_act_changes_nothing(driver: Driver, operator: Client) -> None:
    instance = driver.start(flow(SAGA, head="variables: {v: 0}"))
    before = stored(instance).sequence

    for name in ACTS:
        assert operator.get(address(instance, name), {"step": "reserve"}).status_code == 200

    assert stored(instance).sequence == before
    assert not AuditEntry.objects.filter(target=str(instance.pk)).exists()


def test_saying_what_follows_costs_the_same_queries_whatever_has_happened(
    driver: Driver, operator: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    undo = "compensate: {activity: core.echo}"
    steps = "".join(f"\n  - {{id: s{number}, activity: core.echo, {undo}}}" for number in range(60))
    instance = driver.start(flow(f"{steps}\n  - {{id: nap, wait: {{for: 1d}}}}", name="long"))
    driver.drain()

    # Session, user, two for permissions, the instance, what runs, what can be undone and how many that are.
    with django_assert_num_queries(8):
        answer = operator.get(address(instance, "cancel"))

    assert answer.context["consequence"].undone[-1] == "and 35 more"


def test_a_post_without_the_token_is_refused(driver: Driver, operator: Client) -> None:
    instance = driver.start(flow(SAGA))

    assert operator.post(address(instance, "terminate"), {"reason": "x"}).status_code == 403
    assert stored(instance).state == "running"


def test_pausing_says_what_runs_on_and_resuming_lets_it_go_on(driver: Driver, operator: Client) -> None:
    instance = halfway(driver)

    said = plain(operator.get(address(instance, "pause")).content.decode())
    paused = confirm(operator, instance, "pause", reason="a check")

    assert "What runs now may finish, and is recorded: “Ship it” (ship)." in said
    assert (paused.status_code, paused.headers["Location"]) == (302, f"/instances/{instance.pk}/")
    assert stored(instance).state == "paused"
    assert AuditEntry.objects.get(action="instance.paused").data["reason"] == "a check"
    confirm(operator, instance, "resume")
    assert stored(instance).state == "running"


def test_a_button_pressed_twice_acts_once_and_the_second_press_is_told_why(driver: Driver, operator: Client) -> None:
    instance = driver.start(flow(SAGA))
    confirm(operator, instance, "pause")

    second = confirm(operator, instance, "pause")

    assert second.status_code == 409
    assert "only a running one can be paused" in second.content.decode()
    assert AuditEntry.objects.filter(action="instance.paused").count() == 1


def test_cancelling_names_what_will_be_undone_the_last_first_and_undoes_it(driver: Driver, operator: Client) -> None:
    instance = halfway(driver)

    said = plain(operator.get(address(instance, "cancel")).content.decode())
    confirm(operator, instance, "cancel", undo="yes", reason="a mistake")
    driver.drain()

    assert "these steps are, the last first: “charge” “Reserve it” (reserve)" in said
    assert "told to stop and is awaited: “Ship it” (ship)" in said
    assert stored(instance).ending == "cancelled"
    assert stored(instance).undo


def test_cancelling_can_leave_what_has_completed(driver: Driver, operator: Client) -> None:
    instance = driver.start(flow(SAGA))
    driver.work(driver.claim_next())

    confirm(operator, instance, "cancel", undo="no")
    driver.drain()

    assert stored(instance).state == "cancelled"
    assert Step.objects.get(instance=instance, path="reserve").state == "completed"


def test_the_form_of_a_cancel_begins_with_what_the_definition_says(driver: Driver, operator: Client) -> None:
    undone = driver.start(flow(SAGA))
    left = driver.start(flow(SAGA, head="on_cancel: stop", name="left"))

    assert operator.get(address(undone, "cancel")).context["form"].initial == {"undo": "yes"}
    assert operator.get(address(left, "cancel")).context["form"].initial == {"undo": "no"}


def test_terminating_says_what_stays_undone(driver: Driver, operator: Client) -> None:
    instance = halfway(driver)

    said = plain(operator.get(address(instance, "terminate")).content.decode())
    confirm(operator, instance, "terminate")

    assert "What these steps did stays as it is, though they could be undone: “charge”, “Reserve it” (reserve)." in said
    assert stored(instance).state == "terminated"


def test_retrying_a_failed_instance_names_what_failed_and_lets_it_go_on(driver: Driver, operator: Client) -> None:
    driver.perform = {"ship": fail("NO_ADDRESS")}
    instance = driver.start(flow(SAGA, head="on_failure: stop"))
    driver.run(instance)

    said = plain(operator.get(address(instance, "retry")).content.decode())
    driver.perform = {}
    confirm(operator, instance, "retry")
    driver.run(instance)

    assert "gets fresh attempts, unless its failure was tolerated: “Ship it” (ship)." in said
    assert stored(instance).state == "completed"


def test_a_step_in_back_off_is_run_now_and_one_that_waits_is_skipped(driver: Driver, operator: Client) -> None:
    driver.perform = {"a": fail_times(1)}
    instance = driver.start(flow(RETRYING))
    driver.drain()
    page = operator.get(f"/instances/{instance.pk}/").content.decode()

    said = plain(operator.get(address(instance, "run-now"), {"step": "a"}).content.decode())
    hurried = confirm(operator, instance, "run-now", step="a")
    skipped = confirm(operator, instance, "skip", step="b", reason="not needed")

    assert f'href="{address(instance, "run-now")}?step=a"' in page
    assert f'href="{address(instance, "skip")}?step=b"' in page
    assert "The next attempt of “Ask” (a) begins now instead of at 2026-01-01 00:01:00 UTC." in said
    assert (hurried.status_code, skipped.status_code) == (302, 302)
    assert Step.objects.get(instance=instance, path="b").state == "skipped"
    assert Event.objects.filter(instance_id=instance.pk, type="step.hurried").count() == 1


def test_a_step_that_cannot_be_skipped_says_why_and_stays(driver: Driver, operator: Client) -> None:
    instance = halfway(driver)

    answer = confirm(operator, instance, "skip", step="ship")

    assert answer.status_code == 409
    assert "ship is running; only a step that does not run and has not settled is skipped" in answer.content.decode()


def test_only_the_variables_that_were_changed_get_new_values(driver: Driver, operator: Client) -> None:
    instance = driver.start(flow(SAGA, head='variables: {n: 1, who: "ann", list: [1, 2]}'))
    confirm(operator, instance, "pause")
    page = operator.get(address(instance, "set-variables"))
    form = page.context["form"]
    fields = {field.html_name: field.value() for field in form} | {
        field.html_initial_name: field.value() for field in form if field.field.show_hidden_initial
    }

    answer = confirm(operator, instance, "set-variables", **{**fields, "variable-n": "2", "reason": "too small"})

    assert answer.status_code == 302
    assert stored(instance).variables == {"n": 2, "who": "ann", "list": [1, 2]}
    entry = AuditEntry.objects.get(action="instance.variables_changed")
    assert entry.data == {"reason": "too small", "variables": ["n"]}


def test_a_value_that_is_no_json_is_told_at_its_field_and_nothing_is_changed(driver: Driver, operator: Client) -> None:
    instance = driver.start(flow(SAGA, head="variables: {n: 1}"))
    confirm(operator, instance, "pause")

    wrong = confirm(operator, instance, "set-variables", **{"variable-n": "{", "initial-variable-n": "1"})
    same = confirm(operator, instance, "set-variables", **{"variable-n": "1", "initial-variable-n": "1"})

    assert wrong.status_code == 400
    assert "This is not JSON" in wrong.content.decode()
    assert "No value is changed." in same.content.decode()
    assert stored(instance).variables == {"n": 1}


def test_reasons_and_steps_are_escaped_and_a_reason_that_cannot_be_stored_is_refused(
    driver: Driver, operator: Client
) -> None:
    instance = driver.start(flow(SAGA, head=f"variables: {{v: {NASTY[0]!r}}}"))
    confirm(operator, instance, "pause")

    for text in NASTY:
        harmless(operator.get(address(instance, "skip"), {"step": text}).content.decode())
        harmless(operator.get(address(instance, "set-variables")).content.decode())
        harmless(confirm(operator, instance, "pause", reason=text).content.decode())
    assert confirm(operator, instance, "resume", reason="x" * 501).status_code == 400
    assert stored(instance).state == "paused"


def test_an_undo_that_failed_runs_again_or_is_recorded_as_done_by_hand(driver: Driver, operator: Client) -> None:
    driver.perform = {"ship": fail(), "undo_reserve": fail("GONE"), "undo_charge": fail("GONE")}
    instance = driver.start(flow(SAGA))
    driver.run(instance)
    page = operator.get(f"/instances/{instance.pk}/").content.decode()

    said = plain(operator.get(address(instance, "retry-undo"), {"step": "reserve"}).content.decode())
    unexplained = confirm(operator, instance, "undo-done", step="charge")
    confirm(operator, instance, "undo-done", step="charge", reason="refunded by hand")
    driver.perform = {}
    confirm(operator, instance, "retry-undo", step="reserve")
    driver.run(instance)

    assert all(f"{address(instance, act)}?step=charge" in page for act in ("retry-undo", "undo-done", "skip-undo"))
    assert "The undo of “Reserve it” (reserve) runs again" in said
    assert unexplained.status_code == 400
    assert stored(instance).state == "compensated"


@pytest.mark.parametrize("odd", ["\0", "reserve\0", "x" * 5_000, "each[999999999999].a"])
def test_odd_steps_are_not_found_and_reasons_that_are_no_text_refused(
    driver: Driver, operator: Client, odd: str
) -> None:
    instance = driver.start(flow(SAGA))

    assert operator.get(address(instance, "skip"), {"step": odd}).status_code == 404
    token = str(operator.get(address(instance, "pause")).context["csrf_token"])
    posted = {"csrfmiddlewaretoken": token, "step": odd}
    assert operator.post(address(instance, "skip"), posted).status_code == 404
    assert confirm(operator, instance, "pause", reason="a\0b").status_code == 400
    assert stored(instance).state == "running"
