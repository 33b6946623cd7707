"""The endpoint with the fewest calls under way is asked first, whichever worker made them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest

from tests.integration.activities.conftest import Site
from tests.integration.driver import Driver
from tests.integration.remote_services.calls import called, calling
from workflows_app.models import Place
from workflows_app.services import service_calls, service_registry, sweep

SERVICE = """
service: bank
balance: least_connections
endpoints: [{connection: first}, {connection: second}]
operations:
  charge: {method: POST, path: "/accounts/{account}/charges"}
"""
LEASE_IS_OVER = 20


@pytest.fixture
def enter(driver: Driver, two: tuple[Site, Site]) -> Any:
    """A running attempt that asks for a call; what comes back says which endpoint it is to try first."""
    service_registry.register(text=SERVICE, actor="ada")

    def ask(stack: ExitStack) -> str:
        claim = driver.claim_next(driver.start(calling(), {}).pk)
        service = service_registry.at_hand("bank")
        assert claim is not None
        assert service is not None
        admission = stack.enter_context(
            service_calls.admitted(
                service=service,
                operation=service.operations["charge"],
                endpoints=list(service.endpoints),
                instance_id=claim.instance_id,
                path=claim.path,
                number=claim.number,
                seconds=10,
            )
        )
        assert len(admission.endpoints) == 2
        return admission.endpoints[0].name

    return ask


def test_calls_spread_by_what_is_under_way(enter: Any) -> None:
    with ExitStack() as calls, ExitStack() as one_more:
        assert [enter(calls), enter(one_more), enter(calls), enter(calls)] == ["first", "second", "first", "second"]

        one_more.close()

        assert enter(calls) == "second"
        assert enter(calls) in ("first", "second")
    assert not Place.objects.exists()


def test_a_heavier_endpoint_takes_more(driver: Driver, enter: Any) -> None:
    service_registry.register(text=SERVICE.replace("second}", "second, weight: 3}"), actor="ada")

    with ExitStack() as calls:
        found = [enter(calls) for _ in range(8)]

    assert (found.count("first"), found.count("second")) == (2, 6)


def test_the_calls_of_lost_workers_count_no_more(driver: Driver, enter: Any) -> None:
    lost = ExitStack()
    assert [enter(lost), enter(lost), enter(lost)] == ["first", "second", "first"]
    lost.pop_all()  # killed: it gives nothing back
    driver.advance(LEASE_IS_OVER)
    sweep.end_overdue_attempts()

    with ExitStack() as calls:
        assert enter(calls) == "first"
        assert Place.objects.count() == 1


def test_a_call_that_cannot_reach_the_first_one_goes_on_to_the_other(
    driver: Driver, two: tuple[Site, Site], enter: Any, settings: Any
) -> None:
    settings.ORCHESTRATOR_CONNECTIONS = {
        "first": {"base_url": "http://127.0.0.1:9"},
        "second": {"base_url": two[1].url},
    }
    two[1].answers("/accounts/7/charges", 201)

    assert [called(driver)["state"] for _ in range(2)] == ["completed"] * 2
    assert len(two[1].seen) == 2
