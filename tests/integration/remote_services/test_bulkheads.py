"""Bulkheads: a service has at most so many calls under way at once, and a lost attempt takes nobody's place."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from tests.integration.activities.conftest import Site
from tests.integration.driver import Driver
from tests.integration.remote_services.calls import called, calling, error
from tests.integration.remote_services.conftest import SERVICE
from workflows_app.engine.errors import ActivityError
from workflows_app.models import Breaker, Place
from workflows_app.selectors import service_views
from workflows_app.services import service_calls, service_registry, sweep

LEASE_IS_OVER = 20
Enter = Callable[[], AbstractContextManager[Any]]


@pytest.fixture
def enter(driver: Driver, bank: Site, register: Callable[[str], Any]) -> Enter:
    """A running attempt that asks for a call of a service with two places."""
    register(SERVICE + "bulkhead: {limit: 2}\n")

    def ask() -> AbstractContextManager[Any]:
        claim = driver.claim_next(driver.start(calling(), {}).pk)
        service = service_registry.at_hand("bank")
        assert claim is not None
        assert service is not None
        return service_calls.admitted(
            service=service,
            operation=service.operations["charge"],
            endpoints=list(service.endpoints),
            instance_id=claim.instance_id,
            path=claim.path,
            number=claim.number,
            seconds=10,
        )

    return ask


def test_one_more_than_there_are_places_is_turned_away_and_may_come_back(
    driver: Driver, bank: Site, enter: Enter
) -> None:
    bank.answers("/accounts/7/charges", 201)
    with enter(), enter():
        view = called(driver)
        under_way = service_views.rows()[0]["under_way"]

    assert under_way == "2 of 2"
    assert error(view)["code"] == "BULKHEAD_FULL"
    assert error(view)["recoverable"] is True
    assert error(view)["details"] == {"status": 0, "retry_after": 1.0}
    assert (bank.seen, view["effects"]) == ([], [])
    assert not Breaker.objects.exists()
    assert called(driver)["state"] == "completed"
    assert not Place.objects.exists()


def test_a_call_that_fails_gives_its_place_back(driver: Driver, bank: Site, enter: Enter) -> None:
    bank.answers("/accounts/7/charges", 503)

    called(driver)

    assert not Place.objects.exists()


def test_the_place_of_a_lost_attempt_is_free(driver: Driver, bank: Site, enter: Enter) -> None:
    held = [enter(), enter()]
    for each in held:
        each.__enter__()
    with pytest.raises(ActivityError), enter():
        pass

    driver.advance(LEASE_IS_OVER)
    sweep.end_overdue_attempts()

    with enter():
        assert service_views.rows()[0]["under_way"] == "1 of 2"
        assert Place.objects.count() == 1


def test_who_is_turned_away_takes_no_probe_with_it(driver: Driver, bank: Site, enter: Enter) -> None:
    held = [enter(), enter()]
    for each in held:
        each.__enter__()
    bank.answers("/accounts/7/charges", 201)
    Breaker.objects.create(
        service="bank", operation="charge", state="open", failures=3, open_until=driver.now, since=driver.now
    )

    with pytest.raises(ActivityError) as refused, enter():
        pass

    assert refused.value.code == "BULKHEAD_FULL"
    assert Breaker.objects.get().state == "open"
