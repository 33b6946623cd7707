"""What people do with the pages, in a browser: they start, watch, find, read, retry, cancel and compare."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from tests.services import chromium
from tests.services.documents import block, effect, perform, workflow
from tests.services.processes import PATIENCE
from tests.services.product import Product
from tests.services.web import PASSWORD, administrator

pytestmark = pytest.mark.acceptance

INPUT = {
    "type": "object",
    "required": ["gate", "copies"],
    "properties": {"gate": {"type": "string", "title": "Gate"}, "copies": {"type": "integer", "minimum": 1}},
}
HELD = workflow("journey-held", effect("before"), block("held"), effect("after"), input=INPUT)
FLAKY = workflow(
    "journey-flaky",
    effect("prepare"),
    perform("ask", "core.fail", parameters={"code": "NO_ANSWER", "message": "the bank is closed", "until_attempt": 2}),
    on_failure="stop",
)


class Visitor:
    """Somebody with a browser who has logged in; what the browser complained of is kept.

    Args:
        page: the browser's page.
        address: of the web process.
    """

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE * 1000)
        page.on("console", lambda message: self._hear(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _hear(self, kind: str, text: str) -> None:
        # A form that is refused answers 400: that is no fault of the page.
        if kind == "error" and "status of 400" not in text:
            self.complaints.append(text)

    def open(self, path: str) -> None:
        self.page.goto(self.address + path)

    def sees(self, state: str) -> None:
        """Wait until the page that is open says so by itself."""
        expect(self.page.locator(".headline .state")).to_have_text(state, timeout=PATIENCE * 1000)


@pytest.fixture
def visitor(installation: Product, address: str) -> Iterator[Visitor]:
    """An administrator who has logged in by the form."""
    name = administrator(installation)
    with chromium.running() as browser:
        visitor = Visitor(browser.new_page(viewport={"width": 1280, "height": 900}), address)
        visitor.open("/instances/")
        visitor.page.get_by_label("User name").fill(name)
        visitor.page.get_by_label("Password").fill(PASSWORD)
        visitor.page.get_by_role("button", name="Log in").click()
        visitor.page.wait_for_url("**/instances/")
        yield visitor
        assert visitor.complaints == []


def test_an_instance_is_started_from_a_form_and_watched_to_its_end(installation: Product, visitor: Visitor) -> None:
    gate = f"journey-{uuid4().hex[:8]}"
    installation.publish(HELD)
    page = visitor.page

    visitor.open("/definitions/journey-held/1.0.0/")
    page.get_by_role("link", name="Start", exact=True).click()
    page.get_by_label("Gate").fill(gate)
    page.get_by_label("copies").fill("0")
    page.get_by_role("button", name="Start").click()
    expect(page.locator(".wrong")).to_contain_text("1")
    page.get_by_label("copies").fill("2")
    page.get_by_role("button", name="Start").click()
    expect(page.locator(".graph .tone-run .name")).to_have_text("held", timeout=PATIENCE * 1000)
    expect(page.locator("[data-live-status]")).to_have_text("Live", timeout=PATIENCE * 1000)
    loads: list[str] = []
    page.on("load", lambda loaded: loads.append(loaded.url))
    installation.release(gate)
    visitor.sees("completed")

    assert loads == [], "the page was loaded again"
    expect(page.locator(".graph .link.taken")).to_have_count(2)
    expect(page.locator(".timeline .bar.attempt")).to_have_count(3)
    expect(page.locator("#live-data")).to_contain_text('"copies": 2')


def test_a_failed_instance_is_found_its_reason_read_and_it_is_retried(installation: Product, visitor: Visitor) -> None:
    installation.publish(FLAKY)
    instance = installation.begin("journey-flaky")
    installation.ended(instance)
    page = visitor.page

    visitor.open("/instances/?state=failed&workflow=journey-flaky")
    page.locator(f'a[href="/instances/{instance}/"]').first.click()
    expect(page.locator(".sentence")).to_contain_text("“ask” failed with NO_ANSWER: the bank is closed")
    expect(page.locator(".graph .tone-bad .name")).to_have_text("ask")
    page.get_by_role("link", name="Retry").click()
    expect(page.locator(".consequence")).to_contain_text("gets fresh attempts")
    page.get_by_label("Reason").fill("the bank has opened")
    page.get_by_role("button", name="Retry").click()
    visitor.sees("completed")

    expect(page.locator("#live-acts")).to_contain_text("the bank has opened")
    assert installation.attempts(instance) == {"prepare": 1, "ask": 2}
    page.set_viewport_size({"width": 360, "height": 740})
    for path in (f"/instances/{instance}/", f"/instances/{instance}/report/", "/definitions/journey-flaky/1.0.0/"):
        visitor.open(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_an_instance_is_cancelled_and_what_it_did_is_undone(installation: Product, visitor: Visitor) -> None:
    gate = f"journey-{uuid4().hex[:8]}"
    installation.publish(HELD)
    instance = installation.begin("journey-held", {"gate": gate, "copies": 1})
    page = visitor.page

    visitor.open(f"/instances/{instance}/")
    expect(page.locator(".graph .tone-run .name")).to_have_text("held", timeout=PATIENCE * 1000)
    page.get_by_role("link", name="Cancel").click()
    expect(page.locator(".consequence li")).to_have_text(["“before”"])
    page.get_by_label("Reason").fill("ordered twice")
    page.get_by_role("button", name="Cancel the instance").click()
    installation.release(gate)
    visitor.sees("compensated")

    expect(page.locator(".sentence")).to_contain_text("ordered twice")
    expect(page.locator(".graph .undo.on .name")).to_have_text(["undo before"])
    assert [call["step"] for call in installation.calls("undo", instance=instance)] == ["before"]


def test_two_versions_are_compared(installation: Product, visitor: Visitor) -> None:
    page = visitor.page
    name = f"journey-{uuid4().hex[:8]}"
    installation.publish(workflow(name, effect("first"), {**effect("second"), "name": "Charge"}))
    installation.publish({**workflow(name, effect("first"), {**effect("second"), "name": "Bill"}), "version": "1.1.0"})

    visitor.open(f"/definitions/{name}/")
    page.get_by_role("link", name="1 changed").click()

    expect(page.get_by_role("heading", name="Step second")).to_be_visible()
    expect(page.locator(".differences .was")).to_have_text(["Charge"])
    expect(page.locator(".differences .is")).to_have_text(["Bill"])
