"""Acts on many instances: chosen, confirmed with their consequence, done with a result for each."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from tests.integration.ui.conftest import browser
from workflows_app.models import AuditEntry, Instance

ECHO = "\n  - {id: a, activity: core.echo, with: {x: 1}}"


@pytest.fixture
def operator(viewer: User) -> Client:
    viewer.user_permissions.add(Permission.objects.get(codename="change_instance"))
    return browser(User.objects.get(pk=viewer.pk))


def post(client: Client, address: str, **form: object) -> Any:
    token = client.get("/docs/").context["csrf_token"]
    return client.post(address, {**form, "csrfmiddlewaretoken": str(token)})


def test_an_act_says_what_will_happen_before_it_happens(driver: Driver, operator: Client) -> None:
    instances = [driver.start(flow(ECHO)) for _ in range(2)]

    asked = post(operator, "/instances/act/", act="terminate", id=[str(each.pk) for each in instances])

    page = asked.content.decode()
    assert "Terminate 2 instances?" in page
    assert "nothing is undone" in page
    assert "cannot be taken back" in page
    assert set(Instance.objects.values_list("state", flat=True)) == {"running"}


def test_each_instance_has_its_own_result_and_the_reason_is_kept(driver: Driver, operator: Client) -> None:
    driver.perform = {"b": fail()}
    failed = driver.start(flow("\n  - {id: b, activity: core.echo}", name="bad"))
    driver.run(failed)
    going = driver.start(flow(ECHO))
    unknown = "00000000-0000-0000-0000-000000000001"

    done = post(
        operator,
        "/instances/act/",
        act="pause",
        confirmed="yes",
        reason="<b>the bank is down",
        id=[str(going.pk), str(failed.pk), unknown, "no id at all"],
    )

    page = done.content.decode()
    assert "Pause: 1 done, 2 refused" in page
    assert "INSTANCE_NOT_FOUND" in page
    assert Instance.objects.get(pk=going.pk).state == "paused"
    entry = AuditEntry.objects.get(action="instance.paused")
    assert (entry.actor, entry.data["reason"]) == ("vera", "<b>the bank is down")


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({"act": "explode", "id": "00000000-0000-0000-0000-000000000001"}, "Choose what is to be done"),
        ({"act": "pause"}, "Choose at least one"),
        ({"act": "pause", "id": [f"00000000-0000-0000-0000-{n:012}" for n in range(101)]}, "Choose at most 100"),
    ],
)
def test_what_makes_no_sense_is_refused(db: None, operator: Client, form: dict[str, object], reason: str) -> None:
    response = post(operator, "/instances/act/", **form)

    assert response.status_code == 400
    assert reason in response.content.decode()


def test_a_reason_that_cannot_be_stored_is_refused_and_nothing_is_done(driver: Driver, operator: Client) -> None:
    instance = driver.start(flow(ECHO))

    response = post(operator, "/instances/act/", act="pause", confirmed="yes", id=str(instance.pk), reason="x" * 3000)

    assert response.status_code == 400
    assert Instance.objects.get(pk=instance.pk).state == "running"


def test_who_may_only_look_is_offered_no_act_and_refused_one(driver: Driver, pages: Client) -> None:
    instance = driver.start(flow(ECHO))

    response = post(pages, "/instances/act/", act="pause", confirmed="yes", id=str(instance.pk))

    assert response.status_code == 403
    assert Instance.objects.get(pk=instance.pk).state == "running"
    assert "Terminate" not in pages.get("/instances/").content.decode()


def test_a_form_from_elsewhere_is_refused(driver: Driver, operator: Client) -> None:
    instance = driver.start(flow(ECHO))

    assert operator.post("/instances/act/", {"act": "pause", "id": str(instance.pk)}).status_code == 403


def test_an_address_alone_does_nothing(db: None, operator: Client) -> None:
    assert operator.get("/instances/act/").status_code == 405
