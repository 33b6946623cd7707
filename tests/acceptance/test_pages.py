"""Somebody logs in with a browser and watches a workflow that real workers run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import httpx
import psycopg2
import pytest

from tests.services import web
from tests.services.documents import BLOCKED
from tests.services.processes import PATIENCE, eventually
from tests.services.product import Product
from tests.services.web import PASSWORD, administrator


@pytest.fixture
def browser(installation: Product, address: str) -> Iterator[httpx.Client]:
    """A browser that has logged in as an administrator."""
    name = administrator(installation)
    with httpx.Client(base_url=address, follow_redirects=True, trust_env=False, timeout=PATIENCE) as client:
        page = client.get("/")
        assert page.url.path == "/login/"
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        assert token
        form = {"username": name, "password": PASSWORD, "csrfmiddlewaretoken": token[1], "next": "/instances/"}
        assert client.post("/login/", data=form).url.path == "/instances/"
        yield client


@pytest.mark.acceptance
def test_a_workflow_is_watched_from_its_start_to_its_end(installation: Product, browser: httpx.Client) -> None:
    gate = f"pages-{uuid4().hex[:8]}"
    installation.publish(BLOCKED)
    instance = installation.begin("blocked", {"gate": gate}, "--correlation-id", gate)
    page = f"/instances/{instance}/"

    eventually(lambda: "Running “held” for" in browser.get(page).text, PATIENCE, lambda: browser.get(page).text)
    listed = browser.get("/instances/", params={"q": gate, "state": "running"}).text
    installation.release(gate)
    eventually(lambda: "Completed: every step" in browser.get(page).text, PATIENCE, lambda: browser.get(page).text)

    assert f'href="{page}"' in listed
    ended = browser.get(page).text
    assert "http-equiv" not in ended
    assert ended.count("</svg>succeeded</span>") == 3
    assert "instance.completed" in ended


@pytest.mark.acceptance
def test_the_style_sheet_comes_with_the_pages(browser: httpx.Client) -> None:
    sheet = re.search(r'<link rel="stylesheet" href="([^"]+)"', browser.get("/instances/").text)

    assert sheet
    response = browser.get(sheet[1])
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/css")
    assert "://" not in response.text


@pytest.mark.acceptance
def test_guessing_passwords_is_answered_with_429_whatever_address_is_claimed(
    installation: Product, address: str
) -> None:
    try:
        with httpx.Client(base_url=address, trust_env=False, timeout=PATIENCE) as client:
            token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get("/login/").text)
            assert token
            form = {"username": "nobody", "password": "a guess", "csrfmiddlewaretoken": token[1]}
            answers = [
                client.post("/login/", data=form, headers={"X-Forwarded-For": f"203.0.113.{n}"}) for n in range(21)
            ]
    finally:
        installation.command("axes_reset")

    assert [answer.status_code for answer in answers[:19]] == [200] * 19
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert "Too many failed log-ins" in answers[-1].text


def holds_no_connection(installation: Product) -> bool:
    """Whether the web process has no connection to the database at this moment."""
    with closing(psycopg2.connect(installation.database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", [web.NAME])
        return not cursor.fetchone()[0]


@pytest.mark.acceptance
def test_a_stream_tells_of_changes_holds_no_connection_and_ends_with_the_log_in(
    installation: Product, browser: httpx.Client
) -> None:
    gate = f"live-{uuid4().hex[:8]}"
    installation.publish(BLOCKED)
    instance = installation.begin("blocked", {"gate": gate}, "--correlation-id", gate)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', browser.get("/instances/").text)
    assert token

    with browser.stream("GET", f"/live/{instance}/") as stream:
        lines = stream.iter_lines()

        def told() -> None:
            assert any(line == "event: changed" for line in lines)

        told()
        eventually(lambda: holds_no_connection(installation), PATIENCE, "the stream holds no connection")
        installation.release(gate)
        told()
        with httpx.Client(base_url=browser.base_url, cookies=browser.cookies, trust_env=False) as tab:
            assert tab.post("/logout/", data={"csrfmiddlewaretoken": token[1]}).status_code == 302
        # The last of it comes within two looks, and then nothing.
        assert stream.headers["content-type"] == "text/event-stream"
        list(lines)
