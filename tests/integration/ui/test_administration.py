"""Django's administration: to look at rows, never to change them."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import flow
from tests.integration.ui.conftest import browser
from workflows_app.models import Consumption, Event, Secret
from workflows_app.services import secrets

# Those that it cannot show: their keys are of several columns.
OURS = [m for m in apps.get_app_config("workflows_app").get_models() if m not in (Event, Consumption)]


@pytest.fixture
def root(db: None) -> Client:
    client = Client()
    client.force_login(
        User.objects.create_superuser("root", password="x"), backend="django.contrib.auth.backends.ModelBackend"
    )
    return client


def test_every_model_is_shown_and_none_can_be_changed_even_by_a_superuser(driver: Driver, root: Client) -> None:
    instance = driver.start(flow("\n  - {id: a, activity: core.echo, with: {}}\n  - {id: b, wait: {for: 1d}}"))
    driver.claim_next()

    for model in OURS:
        label = model._meta.model_name
        assert root.get(f"/admin/workflows_app/{label}/").status_code == 200
        assert root.get(f"/admin/workflows_app/{label}/add/").status_code == 403
        row = model.objects.first()
        if row is None:
            continue
        assert root.get(f"/admin/workflows_app/{label}/{row.pk}/change/").status_code == 200
        assert root.post(f"/admin/workflows_app/{label}/{row.pk}/change/", {"state": "completed"}).status_code == 403
        assert root.post(f"/admin/workflows_app/{label}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    found = root.get("/admin/workflows_app/instance/", {"q": str(instance.pk)})
    assert str(instance.pk) in found.content.decode()


def test_a_secret_is_shown_without_its_value_and_its_ciphertext(root: Client) -> None:
    secrets.put(name="bank-token", text="canary-of-the-pages", description="for charges", actor="ada")
    row = Secret.objects.get()

    pages = [root.get(f"/admin/workflows_app/secret/{place}").content.decode() for place in ("", f"{row.pk}/change/")]

    for page in pages:
        assert "for charges" in page
        assert "canary" not in page
        assert row.ciphertext[:20] not in page


def test_there_is_one_log_in_for_pages_and_administration(anonymous: Client) -> None:
    first = anonymous.get("/admin/", follow=True)

    assert first.redirect_chain[-1][0].startswith("/login/?next=")
    assert Client().post("/admin/login/", {"username": "x", "password": "y"}).status_code == 302


def test_the_administration_does_not_lead_elsewhere(root: Client, anonymous: Client) -> None:
    assert root.get("/admin/login/", {"next": "//evil.example"}).headers["Location"] == "/admin/"
    assert anonymous.get("/admin/login/", {"next": "//evil.example"}).headers["Location"].startswith("/login/?next=")


def test_people_who_are_no_staff_are_refused(viewer: User) -> None:
    response = browser(viewer).get("/admin/", follow=True)

    assert response.status_code == 403
    assert all(model in admin.site._registry for model in OURS)
