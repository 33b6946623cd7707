"""Statistics of calls: how many, how many succeeded, how long they took, how many were tried again, by operation."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User

from tests.integration.activities.conftest import Site
from tests.integration.driver import Driver
from tests.integration.remote_services.calls import called, calling
from tests.integration.test_commands import Shell, shell  # noqa: F401
from tests.integration.ui.conftest import browser
from workflows_app.models import Effect
from workflows_app.selectors import call_statistics

CHARGES = "/accounts/7/charges"
TWICE = "retry: {max_attempts: 2, initial_interval: 1s, jitter: 0}"


@pytest.fixture
def lately(driver: Driver, bank: Site) -> None:
    """Two charges, one of which was answered only the second time, each in 2 seconds, and a look at the balance."""
    bank.answers(CHARGES, 422)
    found = driver.start(calling(more=TWICE, json={"amount": 5}), {})
    driver.drain()
    bank.answers(CHARGES, 201, b'{"id": 9}', Content_Type="application/json")
    driver.run(found)
    called(driver, calling())
    bank.answers("/accounts/7", 200)
    driver.advance(1)
    called(driver, calling("balance"))
    for effect in Effect.objects.all():
        Effect.objects.filter(pk=effect.pk).update(settled_at=effect.planned_at + timedelta(seconds=2))


@pytest.mark.usefixtures("lately")
def test_calls_are_counted_and_measured_by_operation(driver: Driver) -> None:
    found = call_statistics.statistics(hours=1)

    charge, balance = found["operations"]
    assert (found["calls"], found["cut"]) == (4, False)
    assert (charge["service"], charge["operation"], charge["calls"], charge["confirmed"]) == ("bank", "charge", 3, 2)
    assert (charge["success_rate"], charge["retries"], charge["open"]) == (0.6667, 1, 0)
    assert charge["seconds"] == {"mean": 2.0, "p95": 2.0}
    assert charge["bytes"]["parameters"] > len(CHARGES)
    assert (balance["operation"], balance["success_rate"]) == ("balance", 1.0)


@pytest.mark.usefixtures("lately")
def test_only_the_latest_calls_of_the_window_count(driver: Driver) -> None:
    few = call_statistics.statistics(hours=1, most=2)
    assert (few["calls"], few["cut"], [each["calls"] for each in few["operations"]]) == (2, True, [1, 1])

    driver.advance(2 * 3600)

    assert call_statistics.statistics(hours=1)["operations"] == []
    assert call_statistics.statistics(hours=3, service="bank")["calls"] == 4
    assert call_statistics.statistics(hours=3, service="other")["calls"] == 0


@pytest.mark.usefixtures("lately")
def test_the_command_and_the_page_show_them(driver: Driver, shell: Shell) -> None:  # noqa: F811
    code, answer = shell.json("service", "statistics", "bank")
    assert (code, answer["operations"][0]["retries"]) == (0, 1)
    assert "0.6667" in shell.run("service", "statistics")[1]
    assert shell.run("service", "statistics", "nobody")[0] == 1
    assert shell.run("service", "statistics", "--hours", "0")[0] == 2
    vera = User.objects.create_user("vera")
    vera.user_permissions.add(Permission.objects.get(codename="view_instance"))

    page = browser(vera).get("/operations/").content.decode()

    assert "66.7%" in page
    assert "Called in the last 24 hours" in page
