"""What our scripts make of a page in a browser: graphs open where the action is, times are the reader's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.test import Client
from playwright.sync_api import Page

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import flow
from tests.integration.ui import replayed
from tests.services import chromium
from tests.services.processes import PATIENCE
from workflows_app.models import Instance

SIDE_BY_SIDE = "\n".join(f"  - {{id: s{n}, activity: core.echo, needs: [], notes: n{n}}}" for n in range(6))
NARROW = "  - {id: a, activity: core.echo, compensate: {activity: core.echo}}"
NAP = "  - {id: nap, wait: {for: 1d}}"
INSIDE = """() => {
    const box = document.querySelector(".graph-box").getBoundingClientRect();
    const here = document.querySelector(".graph [data-here]").getBoundingClientRect();
    return here.left >= box.left && here.right <= box.right;
}"""


@contextmanager
def looking(pages: Client, instance: Instance, **window: Any) -> Iterator[Page]:
    """Open the page of an instance in a window of its own; no script may fail. Meanwhile nothing asks the database."""
    address = f"/instances/{instance.pk}/"
    answers = replayed.kept({address: pages.get(address)})
    errors: list[str] = []
    with chromium.running() as chrome:
        page = chrome.new_page(base_url=replayed.ADDRESS, timezone_id="Europe/Vienna", **window)
        page.set_default_timeout(PATIENCE * 1000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        replayed.replay(page, answers)
        page.goto(address, wait_until="load")
        yield page
    assert errors == []


def test_a_wide_graph_opens_on_a_phone_where_a_step_runs(driver: Driver, pages: Client) -> None:
    instance = driver.start(flow(SIDE_BY_SIDE))
    for _ in range(5):
        driver.work(driver.claim_next())
    driver.claim_next()

    with looking(pages, instance, viewport={"width": 390, "height": 800}) as page:
        box = page.locator(".graph-box").first
        assert page.locator(".graph [data-here] .name").text_content() == "s5"
        assert page.evaluate(INSIDE)
        opened_at = box.evaluate("box => box.scrollLeft")
        box.press("ArrowLeft")
        page.wait_for_function("left => document.querySelector('.graph-box').scrollLeft < left", arg=opened_at)

    assert opened_at > 0


def test_a_graph_that_is_a_little_too_wide_is_drawn_smaller(driver: Driver, pages: Client) -> None:
    instance = driver.start(flow(NARROW))

    with looking(pages, instance, viewport={"width": 500, "height": 800}) as page:
        assert page.locator("svg.graph.fitted").count() == 1
        assert page.locator(".graph-box").first.evaluate("box => box.scrollWidth <= box.clientWidth")


def test_every_sentence_has_the_reader_s_time_and_utc_on_hover(driver: Driver, pages: Client) -> None:
    instance = driver.start(flow(NAP))

    with looking(pages, instance) as page:
        assert page.locator(".sentence").inner_text() == "“nap” waits until 2026-01-02 01:00:00."
        assert page.locator(".sentence time").get_attribute("title") == "2026-01-02 00:00:00 UTC"
        assert "UTC" not in page.locator("main").inner_text()
