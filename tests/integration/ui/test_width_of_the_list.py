"""The list of instances fits into every window, whatever its rows say."""

from __future__ import annotations

from django.contrib.auth.models import User

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from tests.integration.ui import replayed
from tests.integration.ui.conftest import browser
from tests.services import chromium
from tests.services.processes import PATIENCE
from workflows_app.models import Instance

BEYOND = """
Math.max(0, Math.round(document.querySelector(".list").getBoundingClientRect().right
    - document.querySelector("form.filters").getBoundingClientRect().right))
"""
"""By how many pixels the list ends further right than what stands above it."""
WIDTHS = (360, 800, 1056, 1057, 1100, 1200, 1263, 1264, 1280, 1920)


def test_no_row_makes_the_page_wider_than_its_window(driver: Driver) -> None:
    undo = "compensate: {activity: core.echo}"
    driver.perform = {"undo_a": fail("NO_REFUND"), "b": fail("NO_ROAD")}
    steps = f"  - {{id: a, activity: core.echo, {undo}}}\n  - {{id: b, activity: core.echo}}"
    text = flow(steps, name="a-workflow-with-a-long-name")
    driver.run(driver.start(text, correlation_id="an-order-with-a-long-key-" * 5, tags=["for-the-auditors"]))
    assert Instance.objects.get().state == "compensation_failed"
    root = browser(User.objects.create_superuser("root", password="x"))
    answers = replayed.kept({"/instances/": root.get("/instances/")})

    wider = {}
    with chromium.running() as chrome:
        page = chrome.new_page(base_url=replayed.ADDRESS)
        page.set_default_timeout(PATIENCE * 1000)
        replayed.replay(page, answers)
        page.goto("/instances/")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            wider[width] = page.evaluate(BEYOND)

    assert wider == dict.fromkeys(WIDTHS, 0)
