"""What people see when something goes wrong."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from django.test import Client

from workflows_app.running import checkup
from workflows_app.selectors import lists


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

    monkeypatch.setattr(lists, "instances", explode)
    pages.raise_request_exception = False

    response = pages.get("/instances/")

    text = response.content.decode()
    assert response.status_code == 500
    assert "This page failed" in text
    assert "manage.py doctor" in text
    assert "secret" not in text
    assert "Traceback" not in text


def test_a_database_that_does_not_answer_is_named_and_says_what_to_do(
    pages: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise OperationalError("could not connect to 10.0.0.7")

    monkeypatch.setattr(lists, "instances", gone)
    pages.raise_request_exception = False

    response = pages.get("/instances/")

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "10"
    assert "The database does not answer" in response.content.decode()
    assert "10.0.0.7" not in response.content.decode()


@pytest.mark.parametrize("answers", [True, False])
def test_the_broker_is_asked_apart_from_its_page(pages: Client, monkeypatch: pytest.MonkeyPatch, answers: bool) -> None:
    found = (
        checkup.ok("broker", "amqp://10.0.0.7") if answers else checkup.failed("broker", "amqp://10.0.0.7", "start it")
    )
    monkeypatch.setattr(checkup, "broker", lambda: found)

    part = pages.get("/operations/broker/", headers={"HX-Request": "true"}).content.decode()
    page = pages.get("/operations/broker/").content.decode()

    assert ("The broker answers" if answers else "The broker does not answer") in part
    assert "<html" not in part
    assert part.strip() in page
    assert "10.0.0.7" not in page


@pytest.mark.parametrize("address", ["/instances/%00/", "/instances/%FF/", "/instances/..%2f..%2fetc/", "/%C0%AE/"])
def test_odd_addresses_are_not_found(pages: Client, address: str) -> None:
    assert pages.get(address).status_code == 404


def test_a_host_that_is_not_ours_is_refused(anonymous: Client) -> None:
    response = anonymous.get("/login/", HTTP_HOST="evil.example")

    assert response.status_code == 400
    assert "This request cannot be read" in response.content.decode()
