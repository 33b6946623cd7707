"""Somebody works with the pages in a real browser: they are live, choose, act and keep, and the policy holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.services import chromium
from tests.services.documents import BLOCKED
from tests.services.processes import PATIENCE
from tests.services.product import Product
from tests.services.web import PASSWORD, administrator

pytestmark = pytest.mark.acceptance
MILLISECONDS = PATIENCE * 1000
WAITS = {"workflow": "patience", "version": "1.0.0", "steps": [{"id": "later", "wait": {"for": "1d"}}]}
REFUSED_STREAM = "EventSource's response has a MIME type"
"""What the browser says when its stream is answered with the log-in."""


@pytest.fixture
def begin(installation: Product) -> Iterator[Callable[[str], str]]:
    """Starts an instance that waits, with a correlation id; it is terminated in the end."""
    installation.publish(WAITS)
    yield lambda correlation_id: installation.begin("patience", {}, "--correlation-id", correlation_id)
    for state in ("running", "paused"):
        installation.command("workflow", "terminate", "--workflow", "patience", "--where", f"state={state}")


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with chromium.running() as browser:
        yield browser


@pytest.fixture
def page(installation: Product, address: str, chrome: Browser) -> Iterator[Page]:
    """A window in Vienna of somebody who has logged in as an administrator; the browser may have reported no error."""
    name = administrator(installation)
    context = chrome.new_context(base_url=address, timezone_id="Europe/Vienna")
    context.set_default_timeout(MILLISECONDS)
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto("/login/")
    page.fill("[name=username]", name)
    page.fill("[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible(timeout=MILLISECONDS)
    yield page
    context.close()
    assert [each for each in errors if not each.startswith(REFUSED_STREAM)] == []


def test_the_list_follows_an_instance_without_a_click(installation: Product, page: Page) -> None:
    gate = f"browser-{uuid4().hex[:8]}"
    installation.publish(BLOCKED)
    page.goto(f"/instances/?q={gate}")
    expect(page.get_by_text("No instance matches")).to_be_visible(timeout=MILLISECONDS)

    installation.begin("blocked", {"gate": gate}, "--correlation-id", gate)
    page.reload()
    row = page.get_by_role("row").filter(has_text=gate)
    expect(row).to_contain_text("Running “held”", timeout=MILLISECONDS)
    expect(page.locator("[data-live-status]")).to_have_text("Live", timeout=MILLISECONDS)
    installation.release(gate)

    expect(row).to_contain_text("completed", timeout=MILLISECONDS)


def test_times_are_the_reader_s_and_utc_is_kept_beside_them(begin: Callable[[str], str], page: Page) -> None:
    begin("times")
    page.goto("/instances/?q=times")

    time = page.locator("[role=row].row time").first
    utc, local = time.get_attribute("title"), time.inner_text()

    assert utc is not None
    assert utc.endswith(" UTC")
    assert utc.removesuffix(" UTC") != local
    assert "(UTC)" not in page.locator("[role=row].head").inner_text()


def test_two_are_chosen_and_paused_with_a_reason(begin: Callable[[str], str], page: Page) -> None:
    mark = f"many-{uuid4().hex[:8]}"
    for number in range(2):
        begin(f"{mark}-{number}")
    page.goto(f"/instances/?q={mark}")

    page.get_by_label("All on this page").check()
    page.get_by_role("button", name="Pause …").click()
    expect(page.get_by_role("heading", name="Pause 2 instances?")).to_be_visible(timeout=MILLISECONDS)
    page.get_by_label("Reason").fill("the auditors are here")
    page.get_by_role("button", name="Pause", exact=True).click()

    expect(page.get_by_role("heading", name="Pause: 2 done, 0 refused")).to_be_visible(timeout=MILLISECONDS)
    page.goto(f"/instances/?q={mark}&state=paused")
    expect(page.locator("[role=row].row")).to_have_count(2, timeout=MILLISECONDS)
    expect(page.locator("[role=row].row").first).to_contain_text("the auditors are here")


def test_the_workers_are_there_and_the_broker_answers(page: Page) -> None:
    page.goto("/operations/")

    expect(page.get_by_text("The broker answers.")).to_be_visible(timeout=MILLISECONDS)
    expect(page.get_by_role("row").filter(has_text="worker")).not_to_have_count(0, timeout=MILLISECONDS)
    expect(page.get_by_role("row").filter(has_text="sweeper")).not_to_have_count(0, timeout=MILLISECONDS)


def test_a_slash_goes_to_the_search_and_the_skip_link_to_the_content(page: Page) -> None:
    page.goto("/instances/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"

    page.keyboard.press("/")

    assert page.evaluate("document.activeElement.id") == "id_q"


def test_the_colours_are_switched_by_key_without_losing_what_is_typed(page: Page) -> None:
    page.goto("/instances/")
    page.locator("#id_q").fill("half a wo")

    page.get_by_role("button", name="Dark").press("Enter")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark", timeout=MILLISECONDS)
    typed = page.locator("#id_q").input_value()
    page.reload()

    assert typed == "half a wo"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 22, 29)"
    page.get_by_role("button", name="As the system").press("Enter")
    expect(page.locator("html")).not_to_have_attribute("data-theme", "dark", timeout=MILLISECONDS)


def test_the_narrowest_window_shows_every_page_whole(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    for place in ("/", "/instances/", "/operations/", "/activities/", "/docs/", "/docs/language/", "/definitions/"):
        page.goto(place)
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, place


def test_a_page_that_is_open_notices_the_log_out(page: Page) -> None:
    page.goto("/instances/")
    expect(page.locator("[data-live-status]")).to_have_text("Live", timeout=MILLISECONDS)
    other = page.context.new_page()
    other.goto("/docs/")
    other.get_by_role("button", name="Log out").click()
    other.close()
    page.bring_to_front()

    expect(page.locator("[data-live-status]")).to_have_text("No longer live: load the page again", timeout=MILLISECONDS)
