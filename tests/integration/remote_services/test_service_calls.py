"""``service.call``: an operation of a registered service is called as the service says, and is on record."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tasks.activities import http_exchange
from tests.integration.activities.conftest import Site
from tests.integration.driver import Driver
from tests.integration.remote_services.calls import called, calling, error
from tests.integration.remote_services.conftest import SERVICE
from workflows_app.models import Breaker

TWO = """
service: pair
endpoints: [{connection: first}, {connection: second}]
operations:
  charge: {method: POST, path: "/accounts/{account}/charges"}
  balance: {path: "/accounts/{account}"}
  transfer: {method: POST, path: "/accounts/{account}/transfers", idempotent: true}
"""
CHARGES = "/accounts/7/charges"


def test_a_call_goes_where_the_service_says_and_is_on_record(driver: Driver, bank: Site) -> None:
    bank.answers(CHARGES, 201, b'{"id": 9}', Content_Type="application/json")

    view = called(driver, calling(json={"amount": 5}, params={"dry": True}, headers={"X-Trace": "t"}))

    (seen,) = bank.seen
    assert view["state"] == "completed"
    assert (seen.method, seen.path, json.loads(seen.body)) == ("POST", f"{CHARGES}?dry=true", {"amount": 5})
    (effect,) = view["effects"]
    assert seen.headers["idempotency-key"] == effect["idempotency_key"]
    assert seen.headers["x-trace"] == "t"
    assert (effect["kind"], effect["state"]) == ("service.call", "confirmed")
    assert effect["facts"] == {"service": "bank", "operation": "charge", "endpoint": "bank", "status": 201}
    assert not Breaker.objects.exists()


def test_a_call_that_changes_nothing_is_on_record_too(driver: Driver, bank: Site) -> None:
    bank.answers("/accounts/7", 200)

    (effect,) = called(driver, calling("balance"))["effects"]

    assert (effect["state"], effect["facts"]["operation"]) == ("confirmed", "balance")


def test_a_value_in_the_path_stays_one_segment(driver: Driver, bank: Site) -> None:
    called(driver, calling("balance", path_params={"account": "a b/c?d#é"}))

    assert bank.seen[0].path == "/accounts/a%20b%2Fc%3Fd%23%C3%A9"


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"path_params": {"account": "${ input.nothing }"}}, "with.path_params.account"),
        ({"path_params": {"account": ".."}}, "with.path_params.account"),
        ({"path_params": {"account": "a/../b"}}, "with.path"),
        ({"json": 1, "body": "x"}, "with.body"),
        ({"headers": {"Host": "evil"}}, "with.headers"),
    ],
)
def test_what_makes_no_request_is_invalid_and_no_call(
    driver: Driver, bank: Site, changes: dict[str, Any], place: str
) -> None:
    found = driver.start(calling(**changes), {"nothing": ""})
    driver.drain()

    found.refresh_from_db()
    assert found.error["code"] == "INVALID_INPUT"
    assert found.error["details"]["status"] == 0
    assert [each["path"] for each in found.error["details"]["problems"]] == [place]
    assert bank.seen == []


def test_what_the_other_side_refuses_is_an_error_of_the_service(driver: Driver, bank: Site) -> None:
    bank.answers(CHARGES, 422, b'{"message": "no cover"}', Content_Type="application/json")

    view = called(driver)

    assert error(view)["code"] == "SERVICE_ERROR"
    assert "no cover" in error(view)["message"]
    assert "effect" not in error(view)["details"]
    assert [(e["state"], e["facts"]["status"]) for e in view["effects"]] == [("refused", 422)]


def test_what_counts_as_success_is_the_operations_to_say(
    driver: Driver, bank: Site, register: Callable[[str], Any]
) -> None:
    register("service: odd\nendpoints: [{connection: bank}]\noperations: {look: {path: /odd, ok_status: [404]}}")

    view = called(driver, calling("look", service="odd", path_params={}))

    assert view["state"] == "completed"


@pytest.mark.parametrize(
    "parameters", [{"service": "gone"}, {"operation": "gone"}], ids=["no such service", "no such operation"]
)
def test_what_is_not_registered_is_not_found(driver: Driver, bank: Site, parameters: dict[str, str]) -> None:
    given = {"service": "bank", "operation": "charge", **parameters}
    document = calling("${ input.operation }", service="${ input.service }", path_params={})
    found = driver.start(document, given)
    driver.drain()

    found.refresh_from_db()
    assert (found.error["code"], found.error["details"]) == ("SERVICE_NOT_FOUND", {"status": 0})


def test_an_address_has_no_credentials_and_no_more_rights_than_any_call(
    driver: Driver, bank: Site, register: Callable[[str], Any], settings: Any
) -> None:
    register(f"service: open\nendpoints: [{{url: '{bank.url}/v1'}}]\noperations: {{look: {{path: /it}}}}")
    bank.answers("/v1/it", 200)
    settings.ORCHESTRATOR_CONNECTIONS = {"bank": {"base_url": bank.url, "headers": {"X-Secret": "s"}}}

    denied = called(driver, calling("look", service="open", path_params={}))
    settings.ORCHESTRATOR_EGRESS_ALLOW = [f"127.0.0.1:{bank.port}"]
    allowed = called(driver, calling("look", service="open", path_params={}))

    assert error(denied)["code"] == "EGRESS_DENIED"
    assert allowed["state"] == "completed"
    assert "x-secret" not in bank.seen[0].headers
    assert not Breaker.objects.exists()


def test_endpoints_take_turns(driver: Driver, two: tuple[Site, Site], register: Callable[[str], Any]) -> None:
    register(TWO)
    for each in two:
        each.answers("/accounts/7", 200)

    for _ in range(6):
        called(driver, calling("balance", service="pair"))

    assert [len(each.seen) for each in two] == [3, 3]


def dead() -> str:
    """An address that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_where_nothing_was_sent_the_next_endpoint_is_asked_within_the_same_attempt(
    driver: Driver, two: tuple[Site, Site], register: Callable[[str], Any], settings: Any
) -> None:
    register(TWO)
    two[1].answers(CHARGES, 201)
    settings.ORCHESTRATOR_CONNECTIONS["first"] = {"base_url": dead()}

    views = [called(driver, calling(service="pair")) for _ in range(2)]

    assert [(view["state"], len(view["attempts"])) for view in views] == [("completed", 1)] * 2
    states = sorted(tuple(effect["state"] for effect in view["effects"]) for view in views)
    assert states == [("confirmed",), ("refused", "confirmed")]


@pytest.fixture
def silent() -> Iterator[str]:
    """An address whose connections are never established, as behind a firewall that drops them."""
    with socket.socket() as listener, ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = waiting.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_an_endpoint_that_swallows_connections_leaves_the_next_one_time(
    driver: Driver, two: tuple[Site, Site], register: Callable[[str], Any], settings: Any, silent: str
) -> None:
    register(TWO + "timeout: 1s\n")
    two[1].answers(CHARGES, 201)
    settings.ORCHESTRATOR_CONNECTIONS["first"] = {"base_url": silent}

    views = [called(driver, calling(service="pair")) for _ in range(2)]

    assert [view["state"] for view in views] == ["completed", "completed"]
    assert sorted(len(view["effects"]) for view in views) == [1, 2]


def hangs_up(at: Site, path: str) -> None:
    at.writes(path, lambda: iter([b""]))


@pytest.mark.parametrize(
    ("operation", "place", "goes_on"), [("charge", "charges", False), ("transfer", "transfers", True)]
)
def test_what_was_sent_and_not_answered_is_sent_again_only_where_the_operation_allows_it(
    driver: Driver, two: tuple[Site, Site], register: Callable[[str], Any], operation: str, place: str, goes_on: bool
) -> None:
    register(TWO.replace("service: pair", "service: pair\nbalance: hash"))
    for each in two:
        hangs_up(each, f"/accounts/7/{place}")

    view = called(driver, calling(operation, service="pair"))

    assert len(two[0].seen) + len(two[1].seen) == (2 if goes_on else 1)
    assert error(view)["code"] == "HTTP_NO_ANSWER"
    assert error(view)["details"]["effect"] == "unknown"
    assert {effect["state"] for effect in view["effects"]} == {"unknown"}
    assert len({seen.headers["idempotency-key"] for each in two for seen in each.seen}) == 1


def test_an_effect_that_is_unknown_at_one_endpoint_stays_so_if_the_other_is_away(
    driver: Driver, two: tuple[Site, Site], register: Callable[[str], Any], settings: Any
) -> None:
    register(TWO)
    hangs_up(two[0], "/accounts/7/transfers")
    settings.ORCHESTRATOR_CONNECTIONS["second"] = {"base_url": dead()}

    views = [called(driver, calling("transfer", service="pair")) for _ in range(2)]

    assert [error(view)["details"]["effect"] for view in views] == ["unknown", "unknown"]


def test_a_service_may_forbid_that_others_stand_in(
    driver: Driver, two: tuple[Site, Site], register: Callable[[str], Any], settings: Any
) -> None:
    register(TWO + "failover: false\n")
    settings.ORCHESTRATOR_CONNECTIONS["first"] = {"base_url": dead()}
    two[1].answers("/accounts/7", 200)

    states = sorted(called(driver, calling("balance", service="pair"))["state"] for _ in range(2))

    assert states == ["completed", "failed"]


@pytest.mark.parametrize(("changes", "longest"), [("", 30.0), ("timeout: 7s\n", 7.0)])
def test_a_call_has_an_end_also_where_the_step_has_hours(
    driver: Driver,
    bank: Site,
    register: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
    changes: str,
    longest: float,
) -> None:
    register(SERVICE + changes)
    given: list[float] = []

    class Told(http_exchange.Exchange):
        def __init__(self, **options: Any) -> None:
            given.append(options["seconds"])
            super().__init__(**options)

    monkeypatch.setattr(http_exchange, "Exchange", Told)

    called(driver, calling("balance", more="timeout: 2h"))
    called(driver, calling("balance", timeout="90s", more="timeout: 2h"))

    assert given == pytest.approx([longest, 90], abs=5)
