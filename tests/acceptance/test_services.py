"""Services: what one worker learns of a service that is ill holds for every other worker at its next call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults import invariants
from tests.services import bank as outside
from tests.services.bank import Bank, charge
from tests.services.documents import workflow
from tests.services.product import Product

FAILURES = 3
OPEN_FOR = 3600
"""Longer than any test: only an operator closes the breaker here."""


@pytest.fixture
def bank() -> Iterator[Bank]:
    with outside.running() as bank:
        yield bank


def called(product: Product, queue: str) -> dict[str, Any]:
    """Run one call on the worker of that queue."""
    return product.run(workflow(f"charge-{queue}", charge(queue=queue)))


@pytest.mark.acceptance
def test_a_breaker_that_opens_on_one_worker_holds_on_the_other(apart: Product, bank: Bank) -> None:
    bank.registered(apart, breaker={"failures": FAILURES, "open_for": OPEN_FOR})
    for queue in ("left", "right"):
        apart.worker(queue=queue, concurrency=1, **bank.environment)

    ill = [called(apart, "left") for _ in range(FAILURES)]
    held = called(apart, "right")
    asked = len(bank.asked)
    bank.status = 201
    closed = apart.command("service", "close", "bank", "charge", "--reason", "they say that it is mended")
    well = [called(apart, queue) for queue in ("right", "left")]

    assert [view["error"]["code"] for view in ill] == ["SERVICE_ERROR"] * FAILURES
    assert held["error"]["code"] == "CIRCUIT_OPEN"
    assert 0 < held["error"]["details"]["retry_after"] <= OPEN_FOR
    assert asked == FAILURES
    assert closed.code == 0
    assert [view["state"] for view in well] == ["completed", "completed"]
    assert [call["status"] for call in bank.shown(apart)["calls"][:5]] == [201, 201, 503, 503, 503]
    workers = {view["attempts"][0]["worker"].partition(":")[0] for view in (*ill, held)}
    assert len(workers) == 2
    invariants.check(apart, [view["id"] for view in (*ill, held, *well)])
