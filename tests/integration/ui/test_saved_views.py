"""Saved views: filters that somebody keeps, and shares if he likes."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from tests.integration.ui.conftest import browser
from workflows_app.models import SavedView
from workflows_app.ui import saved_views


@pytest.fixture
def other(db: None) -> Client:
    user = User.objects.create_user("otto")
    user.user_permissions.add(Permission.objects.get(codename="view_instance"))
    return browser(user)


def post(client: Client, address: str, **form: object) -> str:
    token = client.get("/docs/").context["csrf_token"]
    response = client.post(address, {**form, "csrfmiddlewaretoken": str(token)}, follow=True)
    return response.content.decode()


def keep(client: Client, name: str, query: str = "state=failed&ended=24h", **more: object) -> str:
    return post(client, "/instances/views/", name=name, query=query, **more)


def names(client: Client) -> list[str]:
    return [view.name for view in client.get("/instances/").context["views"]]


def test_a_view_is_kept_for_its_owner_and_leads_to_its_list(pages: Client, other: Client) -> None:
    page = keep(pages, "failures of the day")

    assert "The view “failures of the day” is kept." in page
    assert 'href="/instances/?state=failed&amp;ended=24h"' in pages.get("/instances/").content.decode()
    assert names(pages) == ["failures of the day"]
    assert names(other) == []


def test_a_shared_view_is_seen_by_everybody_and_forgotten_by_its_owner_only(pages: Client, other: Client) -> None:
    keep(pages, "ours", shared="1")
    view = SavedView.objects.get()

    assert names(other) == ["ours"]
    assert "by vera" in other.get("/instances/").content.decode()
    assert "There is no such page" in post(other, f"/instances/views/{view.pk}/forget/")
    assert "is forgotten" in post(pages, f"/instances/views/{view.pk}/forget/")
    assert names(pages) == []


@pytest.mark.parametrize(
    ("name", "query", "reason"),
    [
        ("", "state=failed", "Give the view a name"),
        ("x", "state=exploded", "There is no state “exploded”"),
        ("x" * 61, "", "at most 60 characters"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_the_reason(pages: Client, name: str, query: str, reason: str) -> None:
    assert reason in keep(pages, name, query)
    assert not SavedView.objects.exists()


def test_only_filters_are_kept(pages: Client) -> None:
    keep(pages, "x", "state=failed&next=//evil.example&older=1-00000000000000000000000000000001")

    assert SavedView.objects.get().query == "state=failed"


def test_a_name_is_taken_once_and_views_are_bounded(pages: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(pages, "x")
    assert "You have a view “x” already" in keep(pages, "x")
    monkeypatch.setattr(saved_views, "MOST", 1)

    assert "forget one first" in keep(pages, "y")
    assert names(pages) == ["x"]
