"""Breakers: after failures in a row nothing goes out for a while, then one call tries, whoever is killed meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection

from tasks.leases import Interrupted
from tests.integration.activities.conftest import Site
from tests.integration.driver import Driver
from tests.integration.remote_services.calls import called, calling, error
from workflows_app.activities import ActivityContext, registry
from workflows_app.engine.errors import ActivityError
from workflows_app.engine.states import BreakerState
from workflows_app.models import Breaker
from workflows_app.services import service_calls, service_registry, sweep
from workflows_app.services.service_calls import Outcome

CHARGES = "/accounts/7/charges"
FAILURES, OPEN_FOR = 3, 30


def breaker() -> Breaker:
    return Breaker.objects.get(service="bank", operation="charge")


def opened(driver: Driver, bank: Site, status: int = 503) -> None:
    bank.answers(CHARGES, status)
    for _ in range(FAILURES):
        called(driver)


def test_failures_in_a_row_open_it_and_nothing_goes_out_any_more(driver: Driver, bank: Site) -> None:
    opened(driver, bank)

    view = called(driver)

    assert len(bank.seen) == FAILURES
    assert error(view)["code"] == "CIRCUIT_OPEN"
    assert error(view)["recoverable"] is True
    assert error(view)["details"] == {"status": 0, "retry_after": float(OPEN_FOR)}
    assert view["effects"] == []
    assert (breaker().state, breaker().failures, breaker().cause) == ("open", FAILURES, "status 503")


@pytest.mark.parametrize(("status", "state"), [(500, "open"), (429, "open"), (404, None), (409, None), (302, None)])
def test_only_what_shows_that_the_service_is_ill_counts(
    driver: Driver, bank: Site, status: int, state: str | None
) -> None:
    opened(driver, bank, status)

    assert list(Breaker.objects.values_list("state", flat=True)) == ([] if state is None else [state])


def test_no_answer_counts(driver: Driver, bank: Site) -> None:
    bank.writes(CHARGES, lambda: iter([b""]))
    for _ in range(FAILURES):
        called(driver)

    assert (breaker().state, breaker().cause) == ("open", "no answer")


def test_an_answer_in_between_begins_the_count_anew(driver: Driver, bank: Site) -> None:
    for status in (503, 503, 200, 503, 404, 503, 503):
        bank.answers(CHARGES, status)
        called(driver)

    assert (breaker().state, breaker().failures) == ("closed", 2)


def test_each_operation_has_its_own(driver: Driver, bank: Site) -> None:
    opened(driver, bank)
    bank.answers("/accounts/7", 200)

    assert called(driver, calling("balance"))["state"] == "completed"


def test_a_retry_waits_until_the_breaker_lets_one_through_and_then_all_goes_on(driver: Driver, bank: Site) -> None:
    opened(driver, bank)
    bank.answers(CHARGES, 201)
    found = driver.start(calling(more="retry: {max_attempts: 2, initial_interval: 1s, jitter: 0}"), {})
    driver.drain()

    driver.advance(OPEN_FOR - 1)
    sweep.fire_timers()
    driver.drain()
    before = len(bank.seen)
    driver.advance(2)
    sweep.fire_timers()
    driver.drain()

    found.refresh_from_db()
    assert (before, len(bank.seen)) == (FAILURES, FAILURES + 1)
    assert found.state == "completed"
    assert (breaker().state, breaker().failures) == ("closed", 0)


def test_a_probe_that_fails_opens_it_anew(driver: Driver, bank: Site) -> None:
    opened(driver, bank)
    driver.advance(OPEN_FOR + 1)

    called(driver)
    after = called(driver)

    assert len(bank.seen) == FAILURES + 1
    assert error(after)["details"]["retry_after"] == OPEN_FOR
    assert breaker().state == "open"


Admit = Callable[[], Any]


@pytest.fixture
def admit(driver: Driver, bank: Site) -> Admit:
    """Asks for one call of ten seconds."""

    def ask() -> Any:
        service = service_registry.at_hand("bank")
        assert service is not None
        return service_calls.admitted(
            service=service,
            operation=service.operations["charge"],
            endpoints=list(service.endpoints),
            instance_id=uuid4(),
            path="pay",
            number=1,
            seconds=10,
        )

    return ask


def rest(admit: Admit) -> float:
    with pytest.raises(ActivityError) as refused, admit():
        pass
    assert refused.value.code == "CIRCUIT_OPEN"
    return float(refused.value.details["retry_after"])


def test_only_one_probe_is_under_way_and_a_killed_one_gives_way_after_its_time(
    driver: Driver, bank: Site, admit: Admit
) -> None:
    opened(driver, bank)
    driver.advance(OPEN_FOR)
    killed = admit()
    killed.__enter__()
    assert breaker().state == "half_open"

    meanwhile = rest(admit)
    driver.advance(meanwhile)
    with admit() as verdict:
        verdict.outcome = Outcome.ANSWERED

    assert meanwhile == 10 + service_calls.PROBE_GRACE
    assert breaker().state == "closed"


def test_a_probe_that_comes_back_late_decides_nothing(driver: Driver, bank: Site, admit: Admit) -> None:
    opened(driver, bank)
    driver.advance(OPEN_FOR)
    late, second = admit(), admit()
    verdict = late.__enter__()
    driver.advance(60)
    second.__enter__()
    probe = breaker().probe

    verdict.outcome = Outcome.ANSWERED
    late.__exit__(None, None, None)

    assert (breaker().state, breaker().probe) == ("half_open", probe)


def test_a_probe_that_never_asked_the_service_lets_the_next_one_try(driver: Driver, bank: Site, admit: Admit) -> None:
    opened(driver, bank)
    driver.advance(OPEN_FOR)

    with pytest.raises(ActivityError, match="told to stop"), admit():
        raise ActivityError("told to stop")

    assert (breaker().state, breaker().probe) == ("half_open", None)
    with admit() as verdict:
        verdict.outcome = Outcome.ANSWERED
    assert breaker().state == "closed"


def test_what_was_sent_before_it_opened_changes_nothing_any_more(driver: Driver, bank: Site, admit: Admit) -> None:
    early = admit()
    verdict = early.__enter__()
    opened(driver, bank)
    before = breaker().open_until
    driver.advance(5)

    verdict.outcome, verdict.cause = Outcome.FAILED, "late"
    early.__exit__(None, None, None)

    assert (breaker().open_until, breaker().failures) == (before, FAILURES)


def test_a_service_that_takes_all_the_time_of_the_attempt_has_failed(
    bank: Site, attempt: Callable[..., ActivityContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.discover()
    given = {"service": "bank", "operation": "charge", "path_params": {"account": "7"}}

    def ended(*_: Any) -> Any:
        raise Interrupted

    monkeypatch.setattr("tasks.activities.service.http_exchange.Exchange.run", ended)
    for seconds in (60.0, 0.0):
        context = attempt(instance_id=str(uuid4()), deadline_seconds=seconds)
        with pytest.raises(Interrupted):
            registry.get("service.call").perform(given, context)

    assert breaker().failures == 1


def test_an_operator_s_opening_lasts_until_somebody_closes_it(driver: Driver, bank: Site, admit: Admit) -> None:
    switch = {"name": "bank", "operation": "charge", "actor": "ada"}
    service_registry.switch(state=BreakerState.OPEN, reason="they asked us to", **switch)
    driver.advance(86_400)
    closed_for = rest(admit)
    bank.answers(CHARGES, 201)

    service_registry.switch(state=BreakerState.CLOSED, reason="they are back", **switch)

    assert closed_for == OPEN_FOR
    assert called(driver)["state"] == "completed"


def test_a_probe_under_way_does_not_overrule_an_operator(driver: Driver, bank: Site, admit: Admit) -> None:
    opened(driver, bank)
    driver.advance(OPEN_FOR)
    with admit() as verdict:
        verdict.outcome = Outcome.ANSWERED
        service_registry.switch(name="bank", operation="charge", state=BreakerState.OPEN, reason="wait", actor="ada")

    assert breaker().state == "open"
    assert breaker().open_until is None


def test_a_report_that_cannot_be_made_costs_no_call(driver: Driver, bank: Site) -> None:
    bank.answers(CHARGES, 201)
    with connection.cursor() as cursor:
        cursor.execute("ALTER FUNCTION wf_service_report RENAME TO wf_gone")

    assert called(driver)["state"] == "completed"


def test_the_database_knows_the_states(db: None) -> None:
    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO workflows_app_breaker (service, operation, state, failures, cause, since) "
            "VALUES ('a', 'b', 'ajar', 0, '', now())"
        )
