"""The list of archived instances: filtered by its address, paged by key, with words where there is nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.integration.driver import Driver
from tests.integration.ui.test_operations_page import words
from workflows_app.models import ArchivedInstance
from workflows_app.services import definitions
from workflows_app.ui import archived_list

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
ORDER = "workflow: order\nversion: 1.0.0\nsteps: [{id: a, activity: core.echo}]"


def archived(number: int, *, workflow: str = "order", state: str = "completed", together: bool = False) -> list[UUID]:
    """Note so many archived instances; return their ids, the last archived first."""
    rows = [
        ArchivedInstance(
            id=uuid4(),
            root=uuid4(),
            workflow=workflow,
            version="1.0.0",
            state=state,
            correlation_id=f"{workflow}-{index}",
            ended_at=NOON,
            events=9,
            digest="d" * 64,
            size=900,
            archived_at=NOON if together else NOON + timedelta(seconds=index),
            archived_by="ada <b>",
            entry=1,
        )
        for index in range(number)
    ]
    ArchivedInstance.objects.bulk_create(rows)
    return [row.pk for row in sorted(rows, key=lambda row: (row.archived_at, row.pk), reverse=True)]


def listed(client: Client, address: str = "/archived/") -> list[UUID]:
    page = client.get(address).content.decode()
    return [UUID(key) for key in re.findall(r'<a href="/instances/([0-9a-f-]{36})/">', page)]


def link(client: Client, address: str, words: str) -> str:
    found = re.search(rf'<a href="(\?[^"]*)"[^>]*>{words}</a>', client.get(address).content.decode())
    assert found, f"no link {words} on {address}"
    return "/archived/" + found[1].replace("&amp;", "&")


def test_the_last_archived_stand_first_with_what_is_known_of_them(driver: Driver, pages: Client) -> None:
    keys = archived(3)

    assert listed(pages) == keys
    said = words(pages, "/archived/")
    for word in ("order 1.0.0", "completed", "order-2", "2026-01-31 12:00:02", "ada &lt;b&gt;"):
        assert word in said


@pytest.mark.parametrize("together", [True, False])
def test_it_is_paged_by_key_there_and_back(
    driver: Driver, pages: Client, monkeypatch: pytest.MonkeyPatch, together: bool
) -> None:
    monkeypatch.setattr(archived_list, "ARCHIVED_ON_A_PAGE", 3)
    keys = archived(8, together=together)

    second = link(pages, "/archived/", "Older")
    third = link(pages, second, "Older")

    assert [listed(pages, each) for each in ("/archived/", second, third)] == [keys[:3], keys[3:6], keys[6:]]
    assert listed(pages, link(pages, third, "Newer")) == keys[3:6]
    assert listed(pages, link(pages, third, "Newest")) == keys[:3]
    assert ">Older<" not in pages.get(third).content.decode()


def test_filters_stand_in_the_address_and_go_along_with_the_pages(
    driver: Driver, pages: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archived_list, "ARCHIVED_ON_A_PAGE", 2)
    definitions.publish(text=ORDER, actor="ada")
    failed = archived(3, state="failed")
    archived(2, workflow="other", state="failed")
    archived(2)

    first = listed(pages, "/archived/?workflow=order&state=failed&state=cancelled")
    rest = listed(pages, link(pages, "/archived/?workflow=order&state=failed&state=cancelled", "Older"))

    assert first + rest == failed
    assert listed(pages, "/archived/?q=OTHER-1&state=") == listed(pages, "/archived/?q=other-1")
    assert len(listed(pages, "/archived/?q=other-1")) == 1
    assert listed(pages, f"/archived/?q={failed[0]}") == [failed[0]]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("workflow=nobody", "There is no workflow “nobody”"),
        ("state=running", "There is no state “running”"),
        ("older=1-nobody", "There is no such page"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused_with_its_reason(
    driver: Driver, pages: Client, query: str, said: str
) -> None:
    answer = pages.get(f"/archived/?{query}")

    assert answer.status_code == 400
    assert said in answer.content.decode()


def test_where_there_is_nothing_it_says_what_to_do(driver: Driver, pages: Client) -> None:
    assert "python manage.py workflow archive" in words(pages, "/archived/")
    archived(1)
    assert "No archived instance matches" in words(pages, "/archived/?q=nobody")
    assert 'href="/instances/?q=nobody"' in pages.get("/archived/?q=nobody").content.decode()


def test_the_other_lists_lead_there(driver: Driver, pages: Client) -> None:
    archived(1)

    assert 'href="/archived/"' in pages.get("/instances/").content.decode()
    assert 'href="/archived/?q=order-0"' in pages.get("/instances/?q=order-0").content.decode()
    assert 'href="/archived/"' in pages.get("/operations/").content.decode()


def test_it_costs_the_same_few_queries_however_many_there_are(driver: Driver, pages: Client) -> None:
    counted = []
    for more in (1, 40):
        archived(more)
        with CaptureQueriesContext(connection) as queries:
            pages.get("/archived/")
        counted.append(len(queries))

    assert counted[0] == counted[1] <= 7


def test_nobody_sees_it_who_may_not_view_instances(stranger: Client, anonymous: Client, pages: Client) -> None:
    assert stranger.get("/archived/").status_code == 403
    assert anonymous.get("/archived/").status_code == 302
    assert pages.post("/archived/").status_code in (403, 405)
