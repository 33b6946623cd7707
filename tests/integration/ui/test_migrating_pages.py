"""On pages: an instance, or many of a list, go on by another version once somebody has seen what would happen."""

from __future__ import annotations

import html
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import flow
from tests.integration.ui.conftest import browser
from tests.integration.ui.test_acts import address, confirm, stored
from tests.integration.ui.test_bulk import post
from tests.integration.ui.test_instance_page import plain as plain_text
from workflows_app.models import AuditEntry, DefinitionVersion, Instance
from workflows_app.services import definitions

FIRST = flow("""
  - {id: stock, activity: core.echo, compensate: {activity: core.echo}}
  - {id: pay, activity: core.echo}
""")
SECOND = FIRST.replace("1.0.0", "2.0.0").replace("  - {id: pay", "  - {id: check, activity: core.echo}\n  - {id: pay")
THIRD = FIRST.replace("1.0.0", "3.0.0").replace("id: stock", "id: reserve")


@pytest.fixture
def operator(viewer: User) -> Client:
    viewer.user_permissions.add(Permission.objects.get(codename="change_instance"))
    return browser(User.objects.get(pk=viewer.pk))


def plain(response: Any) -> str:
    return plain_text(html.unescape(response.content.decode()))


def begun(driver: Driver, document: str = FIRST) -> Instance:
    instance = driver.start(document)
    driver.work(driver.claim_next(instance.pk))
    return instance


def offered(client: Client, instance: Instance) -> list[str]:
    return [name for name, _ in client.get(f"/instances/{instance.pk}/").context["offered"]]


def publish(*documents: str) -> None:
    for document in documents:
        definitions.publish(text=document, actor="ada")


def test_it_is_offered_where_there_is_another_version(driver: Driver, operator: Client) -> None:
    instance = begun(driver)

    assert "migrate" not in offered(operator, instance)
    publish(SECOND)
    assert "migrate" in offered(operator, instance)
    DefinitionVersion.objects.filter(version="2.0.0").update(deprecated=True)
    assert "migrate" not in offered(operator, instance)


def test_the_page_says_what_would_happen_for_the_version_that_is_chosen(driver: Driver, operator: Client) -> None:
    instance = begun(driver)
    publish(SECOND, THIRD)

    first = plain(operator.get(address(instance, "migrate")))
    other = plain(confirm(operator, instance, "migrate", to="2.0.0", preview="yes"))

    assert "It cannot go on by 3.0.0:" in first
    assert "stock: has run, and 3.0.0 has nothing that would undo it; map it to a step that has." in first
    assert "It goes on by 2.0.0. What is done stays" in other
    assert "These steps of 2.0.0 count as skipped, as what waits for them has begun: “check”." in other
    assert stored(instance).version == "1.0.0"


def test_it_is_done_with_a_reason_and_renamed_steps(driver: Driver, operator: Client) -> None:
    instance = begun(driver)
    publish(THIRD)

    done = confirm(operator, instance, "migrate", to="3.0.0", map="stock = reserve\n", reason="the new tariff")

    assert done.status_code == 302
    assert (stored(instance).version, stored(instance).state) == ("3.0.0", "running")
    entry = AuditEntry.objects.get(action="instance.migrated")
    assert entry.data == {"reason": "the new tariff", "to": "3.0.0", "map": {"stock": "reserve"}}
    page = plain(operator.get(f"/instances/{instance.pk}/"))
    assert "It goes on by that version." in page
    assert "3.0.0" in page


@pytest.mark.parametrize(
    ("form", "status"),
    [({"to": "3.0.0"}, 409), ({"to": "9.0.0"}, 400), ({"to": "3.0.0", "map": "stock"}, 400)],
)
def test_a_refusal_changes_nothing(driver: Driver, operator: Client, form: dict[str, str], status: int) -> None:
    instance = begun(driver)
    publish(THIRD)

    assert confirm(operator, instance, "migrate", **form).status_code == status
    assert stored(instance).version == "1.0.0"


def test_a_page_after_a_migration_shows_what_is_gone_nowhere_but_in_the_history(
    driver: Driver, operator: Client
) -> None:
    instance = driver.start(FIRST.replace(", compensate: {activity: core.echo}", ""))
    driver.work(driver.claim_next())
    publish(flow("  - {id: pay, activity: core.echo}").replace("1.0.0", "2.0.0"))
    confirm(operator, instance, "migrate", to="2.0.0")

    for part in ("", "report/", "graph.json", "log/"):
        assert operator.get(f"/instances/{instance.pk}/{part}").status_code == 200, part


# ---------------------------------------------------------------- many
def chosen(*instances: Instance) -> dict[str, Any]:
    return {"act": "migrate", "id": [str(each.pk) for each in instances]}


def test_a_list_says_of_each_whether_it_could_go(driver: Driver, operator: Client) -> None:
    able, unable = driver.start(FIRST), begun(driver)
    publish(THIRD.replace("id: reserve", "id: reserve").replace("3.0.0", "4.0.0"))
    driver.work(driver.claim_next(able.pk))

    asked = plain(post(operator, "/instances/act/", **chosen(able, unable)))
    mapped = plain(post(operator, "/instances/act/", **chosen(able, unable), map="stock=reserve"))

    assert "0 can go on by 4.0.0, 2 cannot." in asked
    assert "stock has run, and 4.0.0 has nothing that would undo it" in asked
    assert "2 can go on by 4.0.0, 0 cannot." in mapped
    assert set(Instance.objects.values_list("version", flat=True)) == {"1.0.0"}


def test_each_has_a_result_of_its_own(driver: Driver, operator: Client) -> None:
    instances = [begun(driver), begun(driver)]
    driver.drain()
    instances.append(begun(driver))
    publish(SECOND)

    done = post(operator, "/instances/act/", **chosen(*instances), to="2.0.0", confirmed="yes", reason="tariff")

    assert "Migrate: 1 done, 2 refused" in plain(done)
    assert sorted(Instance.objects.values_list("version", flat=True)) == ["1.0.0", "1.0.0", "2.0.0"]


def test_instances_of_two_workflows_have_no_version_in_common(driver: Driver, operator: Client) -> None:
    other = driver.start(flow("  - {id: a, activity: core.echo}", name="another"))

    asked = post(operator, "/instances/act/", **chosen(begun(driver), other))

    assert asked.status_code == 400
    assert "Choose instances of one workflow" in plain(asked)
