"""Dashboard, list and page agree on the state of an instance, and name it by the key that its people know it by."""

from __future__ import annotations

from django.test import Client

from tests.integration.driver import Driver
from tests.integration.engine.outcomes import fail, flow
from tests.integration.ui.test_operations_page import words
from workflows_app.models import Instance

RETRIED = "  - {id: ask, activity: core.echo, retry: {max_attempts: 5, initial_interval: 10m}}"
PLAIN = "  - {id: ask, activity: core.echo}"


def test_what_is_tried_again_is_called_so_everywhere(driver: Driver, pages: Client) -> None:
    driver.perform = {"ask": fail("BUSY")}
    instance = driver.start(flow(RETRIED), correlation_id="ORD-7")
    driver.work(driver.claim_next())

    assert Instance.objects.get(pk=instance.pk).state == "running"
    assert "flow ORD-7 retrying due" in words(pages, "/")
    assert "retrying flow 1.0.0" in words(pages, "/instances/")
    assert pages.get(f"/instances/{instance.pk}/").context["state"] == "retrying"


def test_a_failure_stands_in_the_lists_with_its_key_and_its_reason(driver: Driver, pages: Client) -> None:
    driver.perform = {"ask": fail("NO_ROAD")}
    driver.run(driver.start(flow(PLAIN), correlation_id="ORD-8"))

    assert "flow ORD-8 failed" in words(pages, "/")
    assert "failure: NO_ROAD it broke" in words(pages, "/instances/")


def test_an_instance_without_a_key_is_not_named_by_its_id_twice(driver: Driver, pages: Client) -> None:
    instance = driver.start(flow(PLAIN))

    assert "Correlation id none was given: its own id" in words(pages, f"/instances/{instance.pk}/")
