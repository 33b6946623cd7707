"""Every page in both colours, on a desk and on a phone, measured by axe-core: no violation of WCAG 2.1 A and AA.

One browser looks at all of them, so that they take seconds.
"""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from django.contrib.auth.models import User
from django.core.management import call_command
from playwright.sync_api import Page

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from tests.integration.ui import replayed
from tests.integration.ui.conftest import browser
from tests.integration.ui.test_archived_list import archived
from tests.screenshots import scenes
from tests.services import chromium
from tests.services.processes import PATIENCE
from workflows_app.services import definitions, instances

WIDTHS = (1200, 390)
ALL = {"resultTypes": ["violations"], "preload": False}
RULES = {**ALL, "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}}
COLOURS = {**ALL, "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""What depends on the colours; everything else is the same in the dark."""
LEFT_OUT = ("/admin/", "/docs/language/")
"""Django's own; and the longest of the guides: it takes longer to measure than all others, and is made as they are."""
EXAMPLE = Path(__file__).parents[3] / "examples" / "order_processing" / "workflow.yaml"
ORDER = {
    "order_id": "order-1",
    "customer": {"name": "Ada Berg", "email": "ada@example.org"},
    "lines": [{"sku": "mug-blue", "quantity": 1}],
    "amount_cents": 1290,
    "card": "card-1",
    "address": {"name": "Ada Berg", "street": "Mill Lane 1", "postal_code": "10115", "city": "Berlin", "country": "DE"},
}


PRICED = {"status": 200, "json": {"id": "p-1", "total_cents": 1290, "lines": ORDER["lines"]}}


@pytest.fixture
def answers(driver: Driver) -> dict[str, replayed.Answer]:
    """Every page of an installation in which something has gone well, badly, and nowhere, by its address."""
    definitions.publish(text=EXAMPLE.read_text(), actor="ada", changes="The first one.")
    driver.perform = {"validate": lambda claim: PRICED, "pay": lambda claim: PRICED, "reserve_stock": fail("NO_STOCK")}
    driver.run(instances.start(name="order-processing", input=ORDER, actor="ada"))
    driver.perform = {"broken": fail()}
    driver.run(driver.start(flow("  - {id: validate, activity: core.echo}", name="fine")))
    driver.run(driver.start(flow("  - {id: broken, activity: core.echo}", name="broken")))
    found = scenes.prepare(manage)
    driver.perform = {"fetch": fail("BANK_BUSY")}
    for waiting in ("fetch-rates", "settle-invoice"):
        driver.work(driver.claim_next(UUID(found[waiting])))
    pages = [scene for scene in scenes.pages(found) if not scene.address.startswith(LEFT_OUT)]
    people = {True: browser(User.objects.create_superuser("root", password="x")), False: browser()}
    answers = {scene: people[scene.needs_log_in].get(scene.address) for scene in pages}
    assert [scene.address for scene, each in answers.items() if each.status_code != scene.status] == []
    archived(2)
    filled = {"/archived/?q=order": people[True].get("/archived/?q=order")}
    return replayed.kept({scene.address: each for scene, each in answers.items()} | filled)


def manage(*arguments: str) -> str:
    with redirect_stdout(io.StringIO()) as out:
        call_command(*arguments)
    return out.getvalue()


def test_no_page_breaks_a_rule_in_either_colours_at_either_width(answers: dict[str, replayed.Answer]) -> None:
    found: list[str] = []
    with chromium.running() as chrome:
        page = chrome.new_page(base_url=replayed.ADDRESS, color_scheme="light")
        page.set_default_timeout(PATIENCE * 1000)
        replayed.replay(page, answers)
        for address in answers:
            page.goto(address)
            page.evaluate(AXE_SCRIPT)
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                for colours, rules in (("light", RULES), ("dark", COLOURS)):
                    page.emulate_media(color_scheme=colours)
                    found += [f"{address} {width} {colours}: {each}" for each in violations(page, rules)]
    assert found == []


def violations(page: Page, rules: dict[str, Any]) -> list[str]:
    """Measure a page; return what is wrong in words, with the place."""
    results = AxeResults(page.evaluate(f"axe.run({json.dumps(rules)})"))
    return [
        f"{each['id']} ({each['impact']}): {node['target']} {node['failureSummary']}"
        for each in results.response["violations"]
        for node in each["nodes"]
    ]
