"""Pages about tags and planned starts: filters and chips, the form of a start, the instance, operations."""

from __future__ import annotations

from datetime import timedelta

from django.test import Client

from tests.integration.driver import Driver
from tests.integration.ui.test_instance_list import rows
from tests.integration.ui.test_operations_page import words
from tests.integration.ui.test_saved_views import keep, post
from tests.integration.ui.test_starting import FILLED, publish, send, starter  # noqa: F401 - a fixture
from workflows_app.models import AuditEntry, Instance, SavedView, Timer

DOCUMENT = "workflow: w\nversion: 1.0.0\nsteps: [{id: a, activity: core.echo, with: {}}]\n"


def test_the_list_is_filtered_by_tags_that_stand_in_its_address(driver: Driver, pages: Client) -> None:
    driver.start(DOCUMENT, correlation_id="both", tags=["urgent", "region=eu"])
    driver.start(DOCUMENT, correlation_id="one", tags=["urgent"])
    driver.start(DOCUMENT, correlation_id="none")

    assert rows(pages, tag=["urgent", "region=eu"]) == ["both"]
    assert rows(pages, tag="urgent region=eu") == ["both"]
    assert sorted(rows(pages, tag="urgent")) == ["both", "one"]
    page = pages.get("/instances/", {"tag": ["urgent", "region=eu"]}).content.decode()
    assert 'value="urgent region=eu"' in page
    assert '<a class="bare" href="?tag=region%3Deu" aria-label="Without the tag urgent"' in page
    assert '<a class="tag" href="/instances/?tag=region%3Deu">region=eu</a>' in page
    keep(pages, "urgent ones", "tag=urgent&tag=region%3Deu")
    assert SavedView.objects.get().query == "tag=urgent&tag=region%3Deu"


def test_what_is_no_tag_is_refused_and_escaped(driver: Driver, pages: Client) -> None:
    answer = pages.get("/instances/", {"tag": "<b>"})

    assert answer.status_code == 400
    assert "“&lt;b&gt;” is no tag" in answer.content.decode()


def test_an_instance_says_when_it_starts_and_what_holds_for_it_alone(driver: Driver, pages: Client) -> None:
    instance = driver.start(
        DOCUMENT, tags=["urgent"], after=3600.0, overrides={"timeout": "2h", "steps": {"a": {"max_attempts": 5}}}
    )

    page = words(pages, f"/instances/{instance.pk}/")

    assert "Starts at 2026-01-01 01:00:00 UTC." in page
    assert "Tags urgent" in page
    assert "Instead of what its definition says timeout 2h a: max_attempts 5" in page
    assert "Starts at 2026-01-01 01:00:00 UTC." in words(pages, "/instances/")


def test_operations_lists_planned_starts_the_next_first(driver: Driver, pages: Client) -> None:
    assert "No start is planned." in words(pages, "/operations/")
    later = driver.start(DOCUMENT, after=7200.0)
    sooner = driver.start(DOCUMENT, after=3600.0, tags=["urgent"])
    driver.start(DOCUMENT)

    page = words(pages, "/operations/")

    assert f"2026-01-01 01:00:00 w 1.0.0 {sooner.pk} urgent ada 2026-01-01 02:00:00 w 1.0.0 {later.pk}" in page


def test_the_form_of_a_start_takes_tags_and_a_time(driver: Driver, starter: Client) -> None:  # noqa: F811
    publish()

    answer = send(starter, **FILLED, tags="urgent  region=eu", at="2026-01-01T05:30")

    assert answer.status_code == 302
    instance = Instance.objects.get()
    assert (instance.state, instance.tags) == ("pending", ["urgent", "region=eu"])
    assert Timer.objects.get().due_at == driver.now + timedelta(hours=5, minutes=30)
    page = starter.get(answer.url).content.decode()
    assert f"trip 1.0.0 starts at 2026-01-01 05:30:00 UTC: instance {instance.pk}." in page


def test_the_form_says_at_the_field_what_is_wrong(driver: Driver, starter: Client) -> None:  # noqa: F811
    publish()

    past = send(starter, **FILLED, at="2025-01-01T05:30")
    words_ = send(starter, **FILLED, tags="one, two")

    assert (past.status_code, words_.status_code) == (400, 400)
    assert "is not in the future." in past.context["form"].errors["at"][0]
    assert "“one,” is no tag" in words_.context["form"].errors["tags"][0]
    assert not Instance.objects.exists()


def test_an_operator_changes_tags_where_they_stand(driver: Driver, operator: Client, pages: Client) -> None:
    instance = driver.start(DOCUMENT, tags=["urgent", "region=eu"])
    driver.drain()
    here = f"/instances/{instance.pk}/acts/tag/"
    assert here in operator.get(f"/instances/{instance.pk}/").content.decode()
    form = operator.get(here).context["form"]
    assert form["tags"].value() == "urgent region=eu"

    done = post(operator, here, tags="region=eu late", reason="it was late")
    same = post(operator, here, tags="region=eu late")

    assert "Its tags are changed." in done
    assert "No tag is changed." in same
    assert Instance.objects.get(pk=instance.pk).tags == ["region=eu", "late"]
    assert AuditEntry.objects.get(action="instance.tagged").data == {
        "reason": "it was late",
        "add": ["late"],
        "remove": ["urgent"],
    }
