"""Records of calls: what a service was given and gave back, how often it was tried, and how often it may be."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth.models import Permission, User

from tests.integration.activities.conftest import Site
from tests.integration.driver import Driver
from tests.integration.remote_services.calls import called, calling
from tests.integration.test_commands import Shell, shell  # noqa: F401
from tests.integration.ui.conftest import browser
from workflows_app.services import secrets

CHARGES = "/accounts/7/charges"
TWICE = "retry: {max_attempts: 2, initial_interval: 1s, jitter: 0}"


def twice(driver: Driver, bank: Site) -> dict[str, Any]:
    """A call that is refused at first, and answered by the second attempt; return the view of its instance."""
    bank.answers(CHARGES, 503, b"busy")
    found = driver.start(calling(more=TWICE, json={"amount": 5.5}), {})
    driver.drain()
    bank.answers(CHARGES, 201, b'{"id": 9}', Content_Type="application/json")
    return driver.run(found)


def test_each_call_is_a_record_of_what_went_out_and_what_came_back(driver: Driver, bank: Site) -> None:
    first, second = twice(driver, bank)["calls"]

    assert (first["state"], first["retries"], first["maximum"], first["result"]) == ("unknown", 0, 2, None)
    assert first["error"]["code"] == "HTTP_ERROR"
    assert "503" in first["error"]["message"]
    assert (second["state"], second["retries"], second["maximum"], second["error"]) == ("confirmed", 1, 2, None)
    assert second["parameters"] == {"path": CHARGES, "json": {"amount": 5.5}}
    assert second["result"] == {"status": 201, "json": {"id": 9}}
    assert (second["kind"], second["cut"]) == ("command", [])
    assert second["planned_at"] <= second["settled_at"]


def test_the_command_shows_one_call_by_its_id(shell: Shell, driver: Driver, bank: Site) -> None:  # noqa: F811
    call = twice(driver, bank)["calls"][1]

    code, answer = shell.json("service", "calls", str(call["id"]))
    assert (code, answer) == (0, {"calls": [call]})
    assert "amount: 5.5" in shell.run("service", "calls", str(call["id"]))[1]
    assert shell.run("service", "calls", "999999999")[0] == 1
    assert "CALL_NOT_FOUND" in shell.errors
    assert shell.run("service", "calls", "9" * 30)[0] == 1


def test_what_is_large_is_kept_by_its_beginning_and_it_says_so(driver: Driver, bank: Site, settings: Any) -> None:
    settings.ORCHESTRATOR_CALL_RECORD_BYTES = 60
    bank.answers(CHARGES, 200, json.dumps({"text": "y" * 500}).encode(), Content_Type="application/json")

    view = called(driver, calling(json={"text": "x" * 500}))

    (call,) = view["calls"]
    assert call["cut"] == ["parameters", "result"]
    assert call["parameters"].startswith('{"json":{"text":"xxx')
    assert len(call["parameters"]) == 60
    assert view["attempts"][0]["state"] == "succeeded"


def test_secrets_are_masked_in_what_is_kept(driver: Driver, bank: Site) -> None:
    secrets.put(name="pin", text="tram-4711-tram", actor="ada")
    bank.answers(CHARGES, 200, b'{"said": "tram-4711-tram"}', Content_Type="application/json")

    (call,) = called(driver, calling(json={"pin": '${ secret("pin") }'}))["calls"]

    assert call["parameters"]["json"] == {"pin": "***"}
    assert call["result"]["json"] == {"said": "***"}


def test_the_page_of_the_instance_has_parameters_result_and_error(driver: Driver, bank: Site) -> None:
    bank.answers(CHARGES, 422, b"<b>no</b>")
    view = called(driver, calling(json={"note": "<i>now</i>"}))
    vera = User.objects.create_user("vera")
    vera.user_permissions.add(Permission.objects.get(codename="view_instance"))

    page = browser(vera).get(f"/instances/{view['id']}/").content.decode()

    assert "bank.charge" in page
    assert "&lt;i&gt;now&lt;/i&gt;" in page
    assert "retry 0, 1 attempt at most" in page
    assert "<i>now" not in page
    assert "<b>no" not in page
