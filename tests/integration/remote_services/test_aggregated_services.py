"""Services as sources of an aggregation: each call with its breaker, its rate, its key and its entry in the ledger."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.activities.conftest import Site
from tests.integration.driver import Driver
from tests.integration.remote_services.conftest import SERVICE
from tests.integration.remote_services.test_rates import limited
from workflows_app.models import Breaker, CachedResult, Effect, Instance, Place, Turn
from workflows_app.selectors import results
from workflows_app.services import definitions, secrets

BALANCE = {"service": "bank", "operation": "balance", "path_params": {"account": "7"}}
CHARGE = {"service": "bank", "operation": "charge", "path_params": {"account": "7"}, "json": {"amount": 5}}


def aggregating(sources: dict[str, Any], *, more: str = "", name: str = "gathers") -> str:
    return f"""
workflow: {name}
version: 1.{abs(hash(json.dumps([sources, more], sort_keys=True))) % 10**9}.0
output: "${{ steps.all.output }}"
steps:
  - id: all
    activity: data.aggregate
    with: {{sources: {json.dumps(sources)}}}
    {more}
"""


def run(driver: Driver, document: str, input: Any = None) -> dict[str, Any]:
    instance: Instance = driver.start(document, input or {})
    driver.drain()
    return results.instance_view(instance.pk)


def says(site: Site, path: str, data: Any, status: int = 200) -> None:
    site.answers(path, status, json.dumps(data).encode(), Content_Type="application/json")


@pytest.fixture
def balance(bank: Site) -> Site:
    says(bank, "/accounts/7", {"amount": 70})
    return bank


def test_services_answer_side_by_side_and_each_call_is_on_record(driver: Driver, balance: Site) -> None:
    says(balance, "/accounts/7/charges", {"id": 1}, 201)

    view = run(driver, aggregating({"balance": BALANCE, "charge": CHARGE}))

    assert view["output"]["data"] == {"balance": {"amount": 70}, "charge": {"id": 1}}
    effects = Effect.objects.order_by("facts__operation")
    assert [(e.facts["operation"], e.facts["status"], e.state) for e in effects] == [
        ("balance", 200, "confirmed"),
        ("charge", 201, "confirmed"),
    ]
    sent = {seen.path: seen.headers["idempotency-key"] for seen in balance.seen}
    assert {e.idempotency_key for e in effects} == set(sent.values())
    assert sent["/accounts/7"] == f"{view['id']}:all:0:balance"
    assert not Place.objects.exists()


def test_a_failing_source_counts_for_its_breaker_and_an_open_one_is_missing(driver: Driver, balance: Site) -> None:
    balance.answers("/accounts/7/charges", 503)
    document = aggregating({"balance": BALANCE, "charge": {**CHARGE, "required": False}})

    codes = [run(driver, document)["output"]["errors"]["charge"]["code"] for _ in range(4)]

    assert codes == ["SERVICE_ERROR"] * 3 + ["CIRCUIT_OPEN"]
    assert Breaker.objects.get().operation == "charge"


def test_a_required_source_waits_for_its_turn_before_anything_is_sent(
    driver: Driver, balance: Site, register: Callable[[str], Any]
) -> None:
    says(balance, "/accounts/7/charges", {"id": 1}, 201)
    register(limited("limit: 1, per: 10s"))
    document = aggregating({"balance": BALANCE, "charge": CHARGE})
    run(driver, document)
    sent = len(balance.seen)

    view = run(driver, document)
    assert (view["steps"]["all"], len(balance.seen)) == ("retrying", sent)

    ended = driver.run(Instance.objects.get(pk=view["id"]))
    assert (ended["state"], [a["state"] for a in ended["attempts"]]) == ("completed", ["cancelled", "succeeded"])
    assert not Turn.objects.exists()


def test_a_source_that_says_nothing_takes_no_longer_than_its_operation_may(
    driver: Driver, balance: Site, register: Callable[[str], Any]
) -> None:
    over = threading.Event()

    def silence() -> Iterator[bytes]:
        over.wait(20)
        yield b""

    balance.writes("/accounts/7", silence)
    register(SERVICE.replace('{account}"}\nbreaker', '{account}", timeout: 300ms}\nbreaker'))

    output = run(driver, aggregating({"balance": {**BALANCE, "required": False}}))["output"]
    over.set()

    assert output["errors"]["balance"]["code"] == "HTTP_NO_ANSWER"
    assert output["seconds"] < 10


def test_two_sources_of_one_operation_are_two_calls_of_a_bulkhead(
    driver: Driver, balance: Site, register: Callable[[str], Any]
) -> None:
    register(SERVICE + "bulkhead: {limit: 2}\n")
    sources = {name: {**BALANCE, "required": False} for name in ("one", "two", "three")}

    output = run(driver, aggregating(sources))["output"]

    assert sorted(output["data"]) == ["one", "three"]
    assert output["errors"]["two"]["code"] == "BULKHEAD_FULL"
    assert not Place.objects.exists()


def test_parameters_that_fit_no_operation_fail_the_step_before_anything_is_sent(driver: Driver, balance: Site) -> None:
    odd = {**CHARGE, "path_params": {"account": "${ input.which }"}, "required": False}

    view = run(driver, aggregating({"balance": BALANCE, "charge": odd}), {"which": ""})

    assert (view["error"]["code"], view["error"]["details"]["source"]) == ("INVALID_INPUT", "charge")
    assert balance.seen == []


# ---------------------------------------------------------------------------------------------------- kept answers
def test_a_fresh_answer_is_taken_instead_of_asking_again(driver: Driver, balance: Site) -> None:
    document = aggregating({"balance": {**BALANCE, "cache": {"ttl": "1h"}}})
    first = run(driver, document)["output"]
    says(balance, "/accounts/7", {"amount": 0})

    second = run(driver, document)["output"]
    driver.advance(3601)
    third = run(driver, document)["output"]

    assert (first["from_cache"], second["from_cache"], third["from_cache"]) == ([], ["balance"], [])
    assert [each["data"]["balance"]["amount"] for each in (first, second, third)] == [70, 70, 0]
    assert len(balance.seen) == 2


def test_what_is_kept_goes_by_the_question_or_by_the_key(driver: Driver, balance: Site) -> None:
    says(balance, "/accounts/8", {"amount": 80})
    of = {**BALANCE, "path_params": {"account": "${ input.account }"}}
    by_question = aggregating({"balance": {**of, "cache": {"ttl": "1h"}}})
    by_key = aggregating({"balance": {**of, "cache": {"ttl": "1h", "key": "${ input.customer }"}}})

    def amount(document: str, account: str) -> int:
        given = {"account": account, "customer": "ada"}
        return int(run(driver, document, given)["output"]["data"]["balance"]["amount"])

    assert [amount(by_question, account) for account in ("7", "8", "7")] == [70, 80, 70]
    assert [amount(by_key, account) for account in ("7", "8")] == [70, 70]
    assert len(balance.seen) == 3


def test_other_workflows_and_other_sources_do_not_get_it(driver: Driver, balance: Site) -> None:
    kept = {**BALANCE, "cache": {"ttl": "1h", "key": "same"}}

    run(driver, aggregating({"balance": kept}))
    run(driver, aggregating({"other": kept}))
    run(driver, aggregating({"balance": kept}, name="another"))

    assert len(balance.seen) == 3


def test_a_failure_is_not_kept_and_what_was_answered_is_not_asked_again(driver: Driver, balance: Site) -> None:
    balance.answers("/accounts/7/charges", 503)
    kept = {"cache": {"ttl": "1h"}}
    document = aggregating({"balance": {**BALANCE, **kept}, "charge": {**CHARGE, **kept, "required": False}})
    partial = run(driver, document)["output"]
    says(balance, "/accounts/7/charges", {"id": 1}, 201)

    whole = run(driver, document)["output"]

    assert (partial["missing"], partial["from_cache"]) == (["charge"], [])
    assert (whole["missing"], whole["from_cache"]) == ([], ["balance"])
    assert whole["data"] == {"balance": {"amount": 70}, "charge": {"id": 1}}


def test_what_is_kept_has_no_secret_in_it(driver: Driver, balance: Site) -> None:
    secrets.put(name="api", text="canary/7f3a+tok", actor="ada")
    says(balance, "/accounts/7", {"echo": "you sent canary/7f3a+tok"})
    source = {**BALANCE, "headers": {"X-Key": "${ secret('api') }"}, "cache": {"ttl": "1h"}}

    run(driver, aggregating({"balance": source}))

    assert balance.seen[0].headers["x-key"] == "canary/7f3a+tok"
    assert CachedResult.objects.get().output == {"echo": "you sent ***"}
    assert "canary" not in CachedResult.objects.get().key


# ---------------------------------------------------------------------------------------------------- at publish
@pytest.mark.parametrize(
    ("source", "code", "path"),
    [
        ({**BALANCE, "service": "gone"}, "UNKNOWN_SERVICE", "service"),
        ({**BALANCE, "operation": "balanc"}, "UNKNOWN_OPERATION", "operation"),
        ({**BALANCE, "path_params": {}}, "MISSING_REQUIRED_INPUT", "path_params"),
        ({**BALANCE, "path_params": {"account": "7", "x": 1}}, "UNKNOWN_PARAMETER", "path_params.x"),
        ({**BALANCE, "pathparams": {}}, "UNKNOWN_PARAMETER", "pathparams"),
    ],
)
def test_sources_are_held_against_the_registered_services(
    driver: Driver, bank: Site, source: dict[str, Any], code: str, path: str
) -> None:
    problems = definitions.validate(text=aggregating({"fine": BALANCE, "odd": source}))

    assert [(each.code, each.path) for each in problems] == [(code, f"steps[0].with.sources.odd.{path}")]
