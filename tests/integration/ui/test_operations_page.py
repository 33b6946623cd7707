"""The page of operations and the catalogue of activities."""

from __future__ import annotations

from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import flow
from tests.integration.ui.conftest import browser
from workflows_app.services import holds, presence, steps, sweep

ECHO = "\n  - {id: a, activity: core.echo, with: {x: 1}}"


def words(client: Client, address: str) -> str:
    import re

    response = client.get(address)
    assert response.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def test_it_shows_who_is_there_and_what_they_run(driver: Driver, pages: Client) -> None:
    presence.Sign(kind="worker", name="default@host", queues=["default", "slow"], processes=4).give()
    instance = driver.start(flow("\n  - {id: long_one, activity: core.echo}"))
    steps.claim(instance_id=instance.pk, path="long_one", generation=1, worker="default@host:4711")
    driver.advance(20)
    presence.Sign(kind="sweeper", name="sweep@host").give()

    page = words(pages, "/operations/")

    assert "worker default@host 20.0 s ago default, slow 4 long_one" in page
    assert "sweeper sweep@host 0 ms ago" in page
    driver.advance(30)
    assert "silent for 50.0 s" in words(pages, "/operations/")


def test_it_shows_queues_that_nobody_serves_and_what_is_held(driver: Driver, pages: Client) -> None:
    driver.start(flow("\n  - {id: g, activity: core.echo, queue: gpu}"))
    holds.hold(kind=holds.Kind.QUEUE, name="gpu", actor="eve", reason="<b>no disk")
    driver.advance(5)

    page = words(pages, "/operations/")

    assert "gpu 1 5.0 s 0 no worker takes from it" in page
    assert "queue gpu eve 2026-01-01 00:00:00 &lt;b&gt;no disk" in page


def test_it_shows_steps_in_quarantine_and_leads_to_their_instances(driver: Driver, pages: Client) -> None:
    driver.start(flow("\n  - {id: fine, activity: core.echo}"), correlation_id="well")
    driver.work_off()
    poison = driver.start(flow("\n  - {id: poison, activity: core.echo}", name="bad"), correlation_id="ill")
    for _ in range(5):
        assert driver.claim_next(poison.pk)
        driver.advance(9)
        sweep.end_overdue_attempts()

    page = words(pages, "/operations/")
    listed = pages.get("/instances/", {"only": "quarantined"})

    assert "poison bad failed 2026-01-01 00:00:45" in page
    assert f'href="/instances/{poison.pk}/#attempts"' in pages.get("/operations/").content.decode()
    assert [row.instance.correlation_id for row in listed.context["rows"]] == ["ill"]


def test_an_empty_installation_says_what_to_start(pages: Client) -> None:
    page = words(pages, "/operations/")

    assert "Nobody is there" in page
    assert "python manage.py sweep" in page


def test_it_is_for_those_who_may_view_instances(stranger: Client) -> None:
    assert stranger.get("/operations/").status_code == 403


def test_the_catalogue_shows_what_an_activity_takes_and_who_lacks_it(db: None, viewer: User) -> None:
    viewer.user_permissions.add(Permission.objects.get(codename="view_definitionversion"))
    client = browser(User.objects.get(pk=viewer.pk))
    presence.Sign(kind="worker", name="default@host", activities=["core.echo@1.0.0"]).give()

    page = words(client, "/activities/")

    assert "core.echo" in page
    assert "no worker has it" in page
    found = words(client, "/activities/?q=http.request")
    assert "http.request" in found
    assert "core.echo" not in found
    assert "No activity matches" in words(client, "/activities/?q=nothing-of-that-kind")


def test_the_catalogue_is_for_those_who_may_view_definitions(pages: Client) -> None:
    assert pages.get("/activities/").status_code == 403
