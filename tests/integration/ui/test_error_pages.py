"""What people see when something goes wrong."""

from __future__ import annotations

import pytest
from django.test import Client

from workflows_app import selectors


def test_a_page_that_does_not_exist_says_where_to_go(pages: Client) -> None:
    response = pages.get("/nothing/here/")

    assert response.status_code == 404
    assert "There is no such page" in response.content.decode()
    assert "nothing/here" not in response.content.decode()


def test_a_visitor_without_a_log_in_is_not_told_which_pages_exist(anonymous: Client) -> None:
    response = anonymous.get("/nothing/here/")

    assert response.status_code == 302
    assert response.headers["Location"] == "/login/?next=/nothing/here/"


def test_a_failure_shows_advice_and_no_traceback(pages: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(**_: object) -> None:
        raise RuntimeError("the secret is 42")

    monkeypatch.setattr(selectors, "instances", explode)
    pages.raise_request_exception = False

    response = pages.get("/instances/")

    text = response.content.decode()
    assert response.status_code == 500
    assert "This page failed" in text
    assert "manage.py doctor" in text
    assert "secret" not in text
    assert "Traceback" not in text


@pytest.mark.parametrize("address", ["/instances/%00/", "/instances/%FF/", "/instances/..%2f..%2fetc/", "/%C0%AE/"])
def test_odd_addresses_are_not_found(pages: Client, address: str) -> None:
    assert pages.get(address).status_code == 404


def test_a_host_that_is_not_ours_is_refused(anonymous: Client) -> None:
    response = anonymous.get("/login/", HTTP_HOST="evil.example")

    assert response.status_code == 400
    assert "This request cannot be read" in response.content.decode()
