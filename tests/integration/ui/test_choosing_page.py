"""The page on which people choose what is done next in an ad-hoc section."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from tests.integration.driver import Driver
from tests.integration.ui.test_instance_page import plain, sentence, show
from workflows_app.models import Event, Instance, Step

CASE = """
workflow: claim
version: 1.0.0
title: A claim
steps:
  - id: handle
    name: Handle the claim
    description: Inspect, call, decide.
    adhoc:
      %s
      steps:
        - {id: inspect, name: Inspect <the> roof, description: Go there., activity: core.echo}
        - {id: call, set: {seen: 1}}
variables: {seen: 0}
"""
FREE = CASE % "complete_when: 'false'"
ASSIGNED = CASE % "assign: {group: adjusters}"


@pytest.fixture
def clerk(client: Client) -> Client:
    """Somebody in the group adjusters, without any permission."""
    user = User.objects.create_user("cleo")
    user.groups.add(Group.objects.create(name="adjusters"))
    client.force_login(user)
    return client


def address(found: Instance) -> str:
    return reverse("choose", args=[found.pk])


def pick(client: Client, found: Instance, member: str = "call", act: str = "pick", **more: str) -> int:
    given = {"section": "handle", "member": member, "act": act, **more}
    return client.post(address(found), given).status_code


def test_the_page_of_the_instance_says_that_it_waits_for_people(driver: Driver, pages: Client) -> None:
    found = driver.start(FREE)

    said = sentence(pages, found)

    waits = "“Handle the claim” (handle) waits for people to choose what is next: whoever may operate instances"
    assert waits in said
    page = plain(show(pages, found))
    assert "To choose" in page
    assert "nothing picked yet" in page
    assert address(found) not in show(pages, found)


def test_who_may_operate_instances_chooses_what_is_assigned_to_nobody(driver: Driver, client: Client) -> None:
    user = User.objects.create_user("olga")
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_instance", "change_instance"]))
    client.force_login(user)
    found = driver.start(FREE)

    assert address(found) in show(client, found)
    code = pick(client, found, "inspect", reason="a leak")

    assert code == 302
    picked = Event.objects.get(instance=found, step="handle-inspect[0]")
    assert (picked.actor, picked.data["input"]["item"]["reason"]) == ("olga", "a leak")
    answer = plain(client.get(address(found)).content.decode())
    assert "Inspect &lt;the&gt; roof has begun." in answer
    assert "Under way" in answer
    assert "handle-inspect[0].inspect" in show(client, found)


def test_who_it_is_assigned_to_needs_no_permission(driver: Driver, clerk: Client) -> None:
    found = driver.start(ASSIGNED)

    page = clerk.get(address(found))

    assert page.status_code == 200
    assert "Handle the claim" in page.content.decode()
    assert pick(clerk, found, "call", "add") == 302
    assert pick(clerk, found, "call") == 302
    assert pick(clerk, found, "inspect", "skip") == 302
    assert Step.objects.get(instance=found, path="handle-call[0].call").state == "completed"
    assert pick(clerk, found, "call") == 302
    assert Instance.objects.get(pk=found.pk).state == "completed"
    assert clerk.get(address(found)).status_code == 404


def test_to_others_there_is_nothing_and_nothing_happens(driver: Driver, client: Client) -> None:
    found = driver.start(ASSIGNED)
    client.force_login(User.objects.create_user("eve"))

    assert client.get(address(found)).status_code == 404
    assert pick(client, found) == 404
    assert not Step.objects.filter(instance=found, path__contains="[").exists()


def test_who_may_only_look_sees_nothing_to_choose_and_is_refused(driver: Driver, client: Client, viewer: User) -> None:
    found = driver.start(FREE)
    client.force_login(viewer)

    assert "Nothing here waits for you" in client.get(address(found)).content.decode()
    assert pick(client, found) == 409
    assert not Step.objects.filter(instance=found, path__contains="[").exists()


def test_operating_instances_is_not_enough_for_what_is_assigned_to_others(driver: Driver, client: Client) -> None:
    user = User.objects.create_user("olga")
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_instance", "change_instance"]))
    client.force_login(user)
    found = driver.start(ASSIGNED)

    assert pick(client, found) == 409
    assert not Step.objects.filter(instance=found, path__contains="[").exists()


def test_nobody_chooses_without_a_log_in_or_from_another_site(driver: Driver, clerk: Client) -> None:
    found = driver.start(ASSIGNED)

    assert Client().post(address(found), {}).status_code == 302
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="cleo"))
    assert pick(strict, found) == 403
    assert not Step.objects.filter(instance=found, path__contains="[").exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"act": "explode"}, "Choose one of the buttons."),
        ({"section": "nowhere"}, "does not wait for you any more"),
        ({"member": "<script>"}, "&lt;script&gt; is no step of handle"),
        ({"member": "call", "reason": "x" * 2001}, "the reason must be"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(
    driver: Driver, clerk: Client, given: dict[str, str], words: str
) -> None:
    found = driver.start(ASSIGNED)

    answer = clerk.post(address(found), {"section": "handle", "member": "call", "act": "pick", **given})

    assert answer.status_code == 409
    assert words in answer.content.decode()
    assert not Step.objects.filter(instance=found, path__contains="[").exists()


def test_a_second_click_on_the_same_button_begins_nothing_twice(driver: Driver, clerk: Client) -> None:
    found = driver.start(ASSIGNED)
    pick(clerk, found, "inspect")

    assert pick(clerk, found, "inspect") == 409
    assert Step.objects.filter(instance=found, path__endswith="].inspect").count() == 1
