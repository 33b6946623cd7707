"""The page of an instance that waits for a place: it says so, and how many are before it."""

from __future__ import annotations

from django.test import Client

from tests.integration.driver import Driver
from workflows_app.models import Instance
from workflows_app.services import instances

DOCUMENT = """
workflow: orders
version: 1.0.0
concurrency: {limit: 2, key: "${ input.customer_id }"}
steps:
  - {id: a, activity: core.echo}
"""


def sentence(pages: Client, instance: Instance) -> str:
    return str(pages.get(f"/instances/{instance.pk}/").context["sentence"])


def test_it_says_what_it_waits_for_until_it_runs(driver: Driver, pages: Client) -> None:
    started = [driver.start(DOCUMENT, {"customer_id": "<b>4711"}) for _ in range(5)]

    page = pages.get(f"/instances/{started[4].pk}/").content.decode()
    assert "Waits for one of 2 places of customer &lt;b&gt;4711; 2 before it." in page
    assert "so far" not in page
    assert sentence(pages, started[2]).endswith("it is the next.")

    instances.terminate(instance_id=started[0].pk, actor="ada")

    assert sentence(pages, started[2]) == "A place is free for it: it is about to start."
    assert sentence(pages, started[4]).endswith("; 1 before it.")


def test_a_pending_one_that_was_cancelled_says_by_whom(driver: Driver, pages: Client) -> None:
    *_, last = [driver.start(DOCUMENT, {"customer_id": 1}) for _ in range(3)]

    instances.cancel(instance_id=last.pk, actor="bob", reason="not needed")

    assert "bob: not needed" in sentence(pages, last)
