"""A worker that is killed in the midst of a call holds neither the breaker's probe nor its place for ever."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults import invariants
from tests.services import bank as outside
from tests.services.bank import charge
from tests.services.documents import workflow
from tests.services.processes import PATIENCE, eventually

PATIENT = {"max_attempts": 100, "initial_interval": "500ms", "backoff": "fixed"}
UNDER_WAY = "15s"
"""How long the probe may take: time for a busy machine to look at it, and to be turned away, before it is killed."""


def turned_away(view: dict[str, Any]) -> set[str]:
    """The codes with which attempts ended."""
    return {attempt["error"]["code"] for attempt in view["attempts"] if attempt["error"]}


@pytest.mark.parametrize("product", ["filesystem quick"], indirect=True)
def test_a_killed_probe_gives_way_and_so_does_its_place(product):
    with outside.running() as bank:
        bank.registered(product, timeout=UNDER_WAY, breaker={"failures": 1, "open_for": "1s"}, bulkhead={"limit": 1})
        doomed = product.worker(queue="left", concurrency=1, **bank.environment)
        product.worker(queue="right", concurrency=1, **bank.environment)
        first = product.run(workflow("ill", charge(queue="left")))
        bank.open.clear()
        product.publish(workflow("doomed", charge(queue="left", retry=PATIENT)))
        product.publish(workflow("well", charge(queue="right", retry=PATIENT)))
        lost = product.begin("doomed")
        eventually(lambda: len(bank.asked) == 2, PATIENCE, "the probe is under way")
        probing = bank.shown(product)
        well = product.begin("well")
        eventually(lambda: turned_away(product.show(well)), PATIENCE, "another call is turned away")

        doomed.kill()
        bank.status = 201
        bank.open.set()
        view = product.ended(well)
        after = bank.shown(product)
        product.command("workflow", "terminate", lost)

    assert first["error"]["code"] == "SERVICE_ERROR"
    assert (probing["breakers"][0]["state"], probing["under_way"]) == ("half_open", "1 of 1")
    assert view["state"] == "completed"
    assert (after["breakers"][0]["state"], after["under_way"]) == ("closed", "0 of 1")
    assert len(bank.asked) == 3, "while the probe was dead nobody else asked"
    assert turned_away(view) <= {"CIRCUIT_OPEN", "BULKHEAD_FULL"}
    invariants.check(product, [first["id"], view["id"]])
