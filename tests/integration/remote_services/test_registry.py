"""The registry: what is registered is sound, what calls it is looked at at publish, and acts are on record."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.activities.conftest import Site
from tests.integration.driver import Driver
from tests.integration.remote_services.calls import called, calling
from tests.integration.remote_services.conftest import SERVICE
from tests.integration.test_commands import Shell, shell  # noqa: F401
from workflows_app.models import AuditEntry, Breaker, Service
from workflows_app.services import definitions, service_registry, verification


def test_a_service_is_registered_replaced_and_removed(shell: Shell) -> None:  # noqa: F811
    first = shell.run("service", "register", shell.file(SERVICE))
    again = shell.run("service", "register", shell.file(SERVICE + "\n# the same"))
    Breaker.objects.create(service="bank", operation="balance", since="2026-01-01T00:00:00Z")
    Breaker.objects.create(service="bank", operation="charge", since="2026-01-01T00:00:00Z")
    replaced = shell.run("service", "register", shell.file(SERVICE.replace("balance: {", "total: {")))
    _, listed = shell.json("service", "list")
    kept = list(Breaker.objects.values_list("operation", flat=True))
    removed = shell.run("service", "remove", "bank")

    assert first == again == replaced == (0, "bank is registered\n")
    assert [(row["service"], row["endpoints"], row["operations"]) for row in listed["services"]] == [("bank", 1, 2)]
    assert kept == ["charge"]
    assert removed == (0, "bank is removed\n")
    assert not Service.objects.exists()
    assert not Breaker.objects.exists()
    acts = list(AuditEntry.objects.order_by("sequence").values_list("action", "target"))
    assert acts == [("service.registered", "bank")] * 2 + [("service.removed", "bank")]
    assert verification.verify_audit() is None


@pytest.mark.parametrize(
    ("old", "new", "code", "path"),
    [
        ("service: bank", "service: Bank", "SCHEMA", "service"),
        ("{connection: bank}", "{connection: bank, url: 'https://a.example'}", "SERVICE_ENDPOINT", "endpoints[0]"),
        ("{connection: bank}", "{weight: 2}", "SERVICE_ENDPOINT", "endpoints[0]"),
        ("{connection: bank}", "{url: 'https://u:p@a.example'}", "SERVICE_ENDPOINT", "endpoints[0].url"),
        ("{connection: bank}", "{url: 'https://a.example?key=secret'}", "SERVICE_ENDPOINT", "endpoints[0].url"),
        ("{connection: bank}", "{url: 'ftp://a.example'}", "SERVICE_ENDPOINT", "endpoints[0].url"),
        ("{connection: bank}", "{url: 'https://a.example:99999'}", "SERVICE_ENDPOINT", "endpoints[0].url"),
        ("[{connection: bank}]", "[{connection: a}, {connection: a}]", "SERVICE_ENDPOINT", "endpoints[1]"),
        ("[{connection: bank}]", "[]", "SCHEMA", "endpoints"),
        ("{connection: bank}", "{connection: bank, token: t}", "SCHEMA", "endpoints[0].token"),
        ("method: POST", "method: STEAL", "SCHEMA", "operations.charge.method"),
        ('"/accounts/{account}"', '"/accounts/{account"', "SCHEMA", "operations.balance.path"),
        ('"/accounts/{account}"', "/accounts?x=1", "SCHEMA", "operations.balance.path"),
        ('"/accounts/{account}"', "/accounts/../admin", "SERVICE_PATH", "operations.balance.path"),
        ("failures: 3", "failures: 0", "SCHEMA", "breaker.failures"),
        ("open_for: 30s", "open_for: 2d", "INVALID_DURATION", "breaker.open_for"),
        ("open_for: 30s", "open_for: soon", "SCHEMA", "breaker.open_for"),
        ("breaker:", "bulkhead: {limit: 0}\nbreaker:", "SCHEMA", "bulkhead.limit"),
        ("breaker:", "balance: least\nbreaker:", "SCHEMA", "balance"),
        ('/charges"', '/charges", rate: {limit: 0, per: 1s}', "SCHEMA", "operations.charge.rate.limit"),
        ('/charges"', '/charges", rate: {limit: 1}', "SCHEMA", "operations.charge.rate.per"),
        ('/charges"', '/charges", rate: {limit: 1, per: 0s}', "INVALID_DURATION", "operations.charge.rate.per"),
        ('/charges"', '/charges", rate: {limit: 1, per: 1s, burst: 0}', "SCHEMA", "operations.charge.rate.burst"),
    ],
)
def test_an_unsound_service_is_refused_with_place_and_reason(
    shell: Shell,  # noqa: F811
    old: str,
    new: str,
    code: str,
    path: str,
) -> None:
    assert old in SERVICE

    exit_code, printed = shell.run("service", "register", shell.file(SERVICE.replace(old, new)), "--format", "json")

    refused = json.loads(shell.errors)["error"]
    assert (exit_code, printed, refused["code"]) == (1, "", "SERVICE_INVALID")
    assert [(each["code"], each["path"]) for each in refused["problems"]] == [(code, path)]
    assert not Service.objects.exists()
    assert not AuditEntry.objects.exists()


def test_a_shown_service_says_how_it_stands_and_what_was_called(
    shell: Shell,  # noqa: F811
    driver: Driver,
    bank: Site,
) -> None:
    bank.answers("/accounts/7/charges", 503)
    ended = called(driver)

    _, view = shell.json("service", "show", "bank")
    _, text = shell.run("service", "show", "bank")

    charge, balance = view["breakers"]
    assert (charge["operation"], charge["state"], charge["failures"], charge["cause"]) == (
        "charge",
        "closed",
        1,
        "status 503",
    )
    assert (balance["state"], balance["failures"]) == ("closed", 0)
    (call,) = view["calls"]
    assert (call["operation"], call["status"], call["state"]) == ("charge", 503, "unknown")
    assert call["instance"] == ended["id"]
    assert view["document"]["operations"]["charge"]["method"] == "POST"
    assert "status 503" in text
    assert "service: bank" in text


def test_breakers_are_switched_by_hand_with_a_reason(shell: Shell, bank: Site) -> None:  # noqa: F811
    opened = shell.json("service", "open", "bank", "charge", "--reason", "they asked us to")
    state = Breaker.objects.get().state
    _, listed = shell.json("service", "list")
    closed = shell.json("service", "close", "bank", "charge", "--reason", "they are back")

    assert opened == (0, {"service": "bank", "operation": "charge", "state": "open"})
    assert closed[0] == 0
    assert (state, Breaker.objects.get().state) == ("open", "closed")
    assert listed["services"][0]["not_closed"] == "charge open"
    acts = AuditEntry.objects.filter(action__startswith="service.breaker").order_by("sequence")
    assert [(act.action, act.target, act.data) for act in acts] == [
        ("service.breaker_opened", "bank.charge", {"reason": "they asked us to"}),
        ("service.breaker_closed", "bank.charge", {"reason": "they are back"}),
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("register", "no.yaml"), 1, "FILE_UNREADABLE"),
        (("show", "gone"), 1, "SERVICE_NOT_FOUND"),
        (("remove", "gone"), 1, "SERVICE_NOT_FOUND"),
        (("open", "gone", "charge", "--reason", "x"), 1, "SERVICE_NOT_FOUND"),
        (("open", "bank", "gone", "--reason", "x"), 1, "OPERATION_NOT_FOUND"),
        (("open", "bank", "charge", "--reason", " "), 1, "REASON_REQUIRED"),
    ],
)
def test_what_cannot_be_done_is_refused_without_a_traceback(
    shell: Shell,  # noqa: F811
    bank: Site,
    arguments: tuple[str, ...],
    code: int,
    word: str,
) -> None:
    assert shell.run("service", *arguments)[0] == code
    assert word in shell.errors
    assert "Traceback" not in shell.errors
    assert not Breaker.objects.exists()


FOUND: list[tuple[dict[str, Any], list[tuple[str, str, str]]]] = [
    ({}, []),
    ({"service": "gone"}, [("warning", "UNKNOWN_SERVICE", "steps[0].with.service")]),
    ({"service": "${ input.which }"}, []),
    ({"operation": "chrage"}, [("error", "UNKNOWN_OPERATION", "steps[0].with.operation")]),
    ({"path_params": None}, [("error", "MISSING_REQUIRED_INPUT", "steps[0].with.path_params")]),
    ({"path_params": {}}, [("error", "MISSING_REQUIRED_INPUT", "steps[0].with.path_params")]),
    (
        {"path_params": {"account": "1", "more": "2"}},
        [("error", "UNKNOWN_PARAMETER", "steps[0].with.path_params.more")],
    ),
    ({"path_params": {"account": "${ input.account }"}}, []),
]


@pytest.mark.parametrize(("changes", "problems"), FOUND)
def test_what_a_step_calls_is_looked_at_when_it_is_published(
    bank: Site, changes: dict[str, Any], problems: list[tuple[str, str, str]]
) -> None:
    given = {"operation": "charge", **changes}

    found = definitions.validate(text=calling(given.pop("operation"), **given))

    assert [(each.severity, each.code, each.path) for each in found] == problems


def test_the_undo_of_a_step_is_looked_at_too(bank: Site) -> None:
    undo = "compensate: {activity: service.call, with: {service: bank, operation: refund}}"

    (problem,) = definitions.validate(text=calling(more=undo))

    assert (problem.code, problem.path) == ("UNKNOWN_OPERATION", "steps[0].compensate.with.operation")


def test_a_service_that_is_registered_anew_is_used_at_once(db: None) -> None:
    service_registry.register(text=SERVICE, actor="ada")
    before = service_registry.at_hand("bank")
    service_registry.register(text=SERVICE.replace("failures: 3", "failures: 9"), actor="ada")
    after = service_registry.at_hand("bank")

    assert before is not None
    assert after is not None
    assert (before.failures, after.failures) == (3, 9)
