"""Somebody logs in with a browser and watches a workflow that real workers run."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from tests.services.documents import BLOCKED
from tests.services.processes import PATIENCE, REPOSITORY, Process, eventually, free_port
from tests.services.product import Product

PASSWORD = "a long pass phrase"


@pytest.fixture
def address(installation: Product) -> Iterator[str]:
    """The address of a web process over the installation's database."""
    port = free_port()
    web = Process(
        "web",
        [sys.executable, "-m", "uvicorn", "orchestrator.asgi:application", "--port", str(port), "--lifespan", "off"],
        environment=installation.environment(),
        log=installation.folder / "web.log",
    )
    web.start()
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx.get(f"{address}/healthz", trust_env=False, timeout=PATIENCE).status_code == 200
        except httpx.TransportError:
            return False

    try:
        eventually(answers, PATIENCE, web.tail)
        yield address
    finally:
        web.kill()


@pytest.fixture
def browser(installation: Product, address: str) -> Iterator[httpx.Client]:
    """A browser that has logged in as an administrator."""
    name = f"admin-{uuid4().hex[:8]}"
    subprocess.run(
        [sys.executable, "manage.py", "createsuperuser", "--noinput", "--username", name, "--email", "a@localhost"],
        cwd=REPOSITORY,
        env=installation.environment({"DJANGO_SUPERUSER_PASSWORD": PASSWORD}),
        check=True,
        capture_output=True,
    )
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

    eventually(lambda: "Running: “held”" in browser.get(page).text, PATIENCE, lambda: browser.get(page).text)
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
