"""Whatever people write is shown as they wrote it and is never run."""

from __future__ import annotations

import json
from html.parser import HTMLParser

from django.contrib.auth.models import User
from django.test import Client

from tests.integration.driver import Driver
from tests.integration.ui.conftest import browser
from workflows_app.engine.errors import ActivityError
from workflows_app.models import SavedView
from workflows_app.services import holds, instances, interventions, presence

SCRIPT = "<script>alert(1)</script>"
NASTY = [
    SCRIPT,
    "{{7*7}}",
    "{% load log %}",
    "javascript:alert(1)",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</pre></details><script>alert(2)</script>",
    "\u202egnp.exe",
]

FORBIDDEN = {"style", "img", "iframe", "object", "embed", "base"}


class Reader(HTMLParser):
    """Reads a page as a browser does and remembers what could run."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.runs: list[str] = []
        self._in_script = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in FORBIDDEN:
            self.runs.append(tag)
        if tag == "script":
            # Our own files are what a page may run; nothing that stands in it.
            self._in_script = True
            if not (dict(attrs).get("src") or "").startswith("/static/"):
                self.runs.append(tag)
        for name, value in attrs:
            address = name in ("href", "src", "action", "formaction", "xlink:href")
            if name.startswith(("on", "hx-on")) or name == "style":
                self.runs.append(f"{tag} {name}")
            elif address and not (value or "").startswith(("/", "?", "#")):
                self.runs.append(f"{tag} {name}={value}")

    def handle_endtag(self, tag: str) -> None:
        self._in_script = self._in_script and tag != "script"

    def handle_data(self, data: str) -> None:
        if self._in_script and data.strip():
            self.runs.append(data)


def harmless(page: str) -> None:
    assert Reader(page).runs == []


def document(text: str) -> str:
    quoted = json.dumps(text)
    echo = {"id": "a", "name": text, "description": text, "activity": "core.echo", "with": {"x": "${ input.text }"}}
    bad = {"id": "bad", "name": text, "activity": "core.echo", "with": {text[:20]: "y"}}
    choice = {"id": "c", "choice": [{"when": f"input.text == {quoted}", "steps": [echo]}]}
    return json.dumps(
        {"workflow": "nasty", "version": "1.0.0", "title": text, "variables": {"v": text}, "steps": [choice, bad]}
    )


def test_names_inputs_outputs_errors_and_reasons_are_escaped(driver: Driver, pages: Client) -> None:
    for number, text in enumerate(NASTY):

        def break_it(claim: object, text: str = text) -> None:
            raise ActivityError(text, code=text[:40], details={"seen": text})

        driver.perform = {"bad": break_it}
        instance = driver.start(
            document(text).replace('"1.0.0"', f'"1.0.{number}"'),
            {"text": text, text: text},
            correlation_id=text if text.isprintable() else "x",
        )
        other = instances.start(name="nasty", input={"text": text}, actor="ada")
        instances.cancel(instance_id=other.pk, actor=text, reason=text)
        driver.run(instance)

        for address in (
            f"/instances/{instance.pk}/",
            f"/instances/{other.pk}/",
            "/instances/",
            "/",
        ):
            response = pages.get(address)

            assert response.status_code == 200
            harmless(response.content.decode())
            assert ">49<" not in response.content.decode()

        shown = pages.get(f"/instances/{instance.pk}/").content.decode()
        if text == "{{7*7}}":
            assert "{{7*7}}" in shown
        if text == SCRIPT:
            assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown


def test_filters_and_addresses_are_escaped(pages: Client, anonymous: Client) -> None:
    for text in NASTY:
        for address, query in (
            ("/instances/", {"q": text}),
            ("/instances/", {"workflow": text}),
            ("/instances/", {"state": text}),
            ("/instances/", {"older": text[:60]}),
            ("/instances/", {"only": text}),
            ("/instances/", {"correlation": text}),
            ("/instances/", {"version": text[:60], "since": text, "ended": text}),
            ("/docs/", {"q": text}),
            (f"/{text}", {}),
            (f"/instances/{text}", {}),
        ):
            harmless(pages.get(address, query).content.decode())
        harmless(anonymous.get("/login/", {"next": text}).content.decode())


def test_a_log_in_name_is_escaped(anonymous: Client) -> None:
    token = str(anonymous.get("/login/").context["csrf_token"])
    for text in NASTY:
        form = {"username": text, "password": "x", "csrfmiddlewaretoken": token}
        page = anonymous.post("/login/", form)
        harmless(page.content.decode())


def test_what_is_written_about_many_is_escaped(driver: Driver, viewer: User) -> None:
    """Reasons of pauses and holds, names of queues, of workers, of saved views."""
    driver.start("workflow: w\nversion: 1.0.0\nsteps:\n  - {id: a, activity: core.echo, queue: gpu}")
    SavedView.objects.create(owner=viewer, name=SCRIPT, query=f"q={SCRIPT}", shared=True)
    for number, text in enumerate(NASTY):
        holds.hold(kind=holds.Kind.QUEUE, name=f"q{number}", actor=text, reason=text)
        presence.Sign(kind="worker", name=text, queues=[text]).give()
        paused = instances.start(name="w", input={}, actor="ada")
        interventions.pause(instance_id=paused.pk, actor=text, reason=text)
    driver.advance(90)
    pages = browser(viewer)

    for address in ("/", "/instances/", "/instances/?only=stuck", "/operations/"):
        page = pages.get(address).content.decode()

        harmless(page)
        assert ">49<" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in pages.get("/operations/").content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in pages.get("/instances/").content.decode()
