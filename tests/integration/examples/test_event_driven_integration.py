"""An order comes in as an event, is transformed, enriched by a service, and goes out under its correlation id."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import call_command

from examples.event_driven_integration.customers import Customers
from tasks.activities import http_transport
from tests.integration.driver import Driver
from workflows_app.activities import ActivityContext, registry
from workflows_app.engine.definition import load
from workflows_app.models import Definition, Instance, PublishedEvent
from workflows_app.selectors import results
from workflows_app.services import definitions, instances, signals, verification
from workflows_app.services.steps import Claim

FOLDER = Path(__file__).parents[3] / "examples" / "event_driven_integration"
ORDER = json.loads((FOLDER / "order.json").read_text(encoding="utf-8"))


@pytest.fixture
def serve(settings: Any) -> Iterator[Callable[..., Customers]]:
    """Starts the service, as the connection of the workflow."""
    running: list[tuple[Customers, threading.Thread]] = []

    def start(**options: int) -> Customers:
        service = Customers(("127.0.0.1", 0), **options)
        thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((service, thread))
        settings.ORCHESTRATOR_CONNECTIONS = {"customers": {"base_url": service.url, "allow_private": True}}
        return service

    yield start
    http_transport.close_all()
    for service, thread in running:
        service.shutdown()
        thread.join()
        service.server_close()


@pytest.fixture
def worker(driver: Driver) -> Driver:
    """A driver with both definitions that performs all activities for real."""
    registry.discover()

    def perform(claim: Claim) -> Any:
        context = ActivityContext(
            instance_id=str(claim.instance_id),
            workflow="order-enrichment",
            version="1.0.0",
            correlation_id="",
            step=claim.path,
            attempt=claim.number,
            idempotency_key=f"{claim.instance_id}:{claim.path}:0",
        )
        return registry.get(claim.activity).perform(claim.parameters, context)

    driver.perform = dict.fromkeys(("transform", "enrich", "label"), perform)
    for file in ("enrichment.yaml", "dispatch.yaml"):
        definitions.publish(text=(FOLDER / file).read_text(encoding="utf-8"), actor="ada")
    return driver


def place(key: str = "W-1001", **changes: Any) -> None:
    signals.publish(event="order.placed", correlate=key, data={**ORDER, **changes}, actor="shop")


def start(workflow: str, key: str = "W-1001") -> Instance:
    return instances.start(name=workflow, correlation_id=key, actor="ada")


def published(key: str = "W-1001") -> list[str]:
    events = PublishedEvent.objects.filter(key=key).exclude(type="order.placed").order_by("id")
    return list(events.values_list("type", flat=True))


@pytest.mark.parametrize("early", [True, False], ids=["the order came before", "the order comes after"])
def test_an_order_becomes_a_result_event_with_the_same_correlation_id(
    worker: Driver, serve: Callable[..., Customers], early: bool
) -> None:
    service = serve()
    if early:
        place()
    enrichment, dispatch = start("order-enrichment"), start("order-dispatch")
    elsewhere = start("order-dispatch", "W-1002")
    if not early:
        place()

    view = worker.run(enrichment)
    label = worker.run(dispatch)

    assert (view["state"], view["output"]) == ("completed", {"order_id": "W-1001", "published": "order.enriched"})
    assert label["output"] == {
        "label": "W-1001: Ada Berg, Berlin (gold)",
        "express": True,
        "from": str(enrichment.pk),
    }
    assert results.instance_view(elsewhere.pk)["steps"]["order"] == "waiting", "it has another correlation id"
    assert service.calls == 1
    for instance in (enrichment, dispatch, elsewhere):
        assert verification.check_replay(instance.pk) == []


def test_the_result_has_the_form_of_the_house(worker: Driver, serve: Callable[..., Customers]) -> None:
    serve()
    place(CustNo=4712)
    worker.run(start("order-enrichment"))

    (result,) = PublishedEvent.objects.filter(type="order.enriched")

    assert result.key == "W-1001"
    assert result.data == {
        "order": {
            "order_id": "W-1001",
            "customer_id": 4712,
            "placed": "2026-03-01T23:30:00Z",
            "day": "2026-03-02",
            "lines": [
                {"sku": "mug-blue", "quantity": 3, "price_cents": 1290},
                {"sku": "tea-1", "quantity": 2, "price_cents": 650},
            ],
            "total_cents": 5170,
        },
        "customer": {"id": 4712, "name": "Bea Holm", "city": "Oslo", "segment": "silver", "rating": "B"},
        "express": False,
    }


def test_a_customer_that_the_service_does_not_know_is_told_by_another_event(
    worker: Driver, serve: Callable[..., Customers]
) -> None:
    serve()
    place(CustNo="4711/../4712")

    view = worker.run(start("order-enrichment"))

    assert (view["state"], view["output"]["published"]) == ("completed", "order.customer_unknown")
    assert published() == ["order.customer_unknown"]


def test_a_service_that_is_out_of_order_for_a_while_is_asked_again(
    worker: Driver, serve: Callable[..., Customers]
) -> None:
    service = serve(out_of_order=2)
    place()

    view = worker.run(start("order-enrichment"))

    attempts = [(a["step"], a["state"]) for a in view["attempts"] if a["step"] == "enrich"]
    assert (view["state"], published()) == ("completed", ["order.enriched"])
    assert attempts == [("enrich", "failed"), ("enrich", "failed"), ("enrich", "succeeded")]
    assert service.calls == 3


def test_nothing_is_published_about_an_order_that_cannot_be_enriched(
    worker: Driver, serve: Callable[..., Customers]
) -> None:
    serve(out_of_order=5)
    place()

    view = worker.run(start("order-enrichment"))

    assert (view["state"], view["error"]["code"]) == ("failed", "HTTP_ERROR")
    assert published() == []


def test_an_order_that_is_none_fails_with_the_place_and_asks_nobody(
    worker: Driver, serve: Callable[..., Customers]
) -> None:
    service = serve()
    signals.publish(event="order.placed", correlate="W-1001", data={"OrderNo": "W-1001"}, actor="shop")

    view = worker.run(start("order-enrichment"))

    assert (view["state"], view["error"]["code"]) == ("failed", "TRANSFORM_FAILED")
    assert view["error"]["details"]["operation"] == 0
    assert (service.calls, published()) == (0, [])


def test_the_service_runs_by_itself_and_ends_cleanly() -> None:
    command = [
        sys.executable,
        "-m",
        "examples.event_driven_integration.customers",
        "--port",
        "0",
        "--out-of-order",
        "1",
    ]
    with subprocess.Popen(command, cwd=FOLDER.parents[1], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            (url,) = re.findall(r"http://\S+", process.stdout.readline())
            with httpx.Client(trust_env=False, timeout=60) as client:
                answers = [client.get(f"{url}/customers", params={"id": 4713}) for _ in range(2)]
                assert [answer.status_code for answer in answers] == [503, 200]
                assert answers[1].json()["name"] == "Carlo Riva"
                assert client.get(f"{url}/health").json() == {"status": "ok"}
                assert client.get(f"{url}/customers").status_code == 404
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_both_definitions_are_imported_as_the_readme_says(db: None) -> None:
    (arguments,) = re.findall(r"workflow import (.+)", (FOLDER / "README.md").read_text(encoding="utf-8"))

    call_command(
        "workflow", "import", *(str(FOLDER.parents[1] / file) for file in arguments.split()), stdout=StringIO()
    )

    assert set(Definition.objects.values_list("name", flat=True)) == {"order-enrichment", "order-dispatch"}


def test_the_readme_names_what_is_there() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    workflows = {load(file.read_text(encoding="utf-8"))["workflow"] for file in FOLDER.glob("*.yaml")}

    assert set(re.findall(r"workflow start ([a-z-]+)", text)) == workflows
    assert set(re.findall(r"^\| `([a-z_]+\.[a-z]+)`", text, re.MULTILINE)) == {
        file.name for file in FOLDER.iterdir() if file.suffix in (".yaml", ".json", ".py") and file.stem != "__init__"
    }
