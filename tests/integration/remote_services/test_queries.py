"""Queries and commands: an operation that only asks leaves no effect, sends no key, and is repeated anywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.activities.conftest import Site
from tests.integration.driver import Driver
from tests.integration.remote_services.calls import called, calling, error
from tests.integration.remote_services.test_aggregated_services import aggregating, run, says
from workflows_app.engine.errors import DefinitionInvalid
from workflows_app.models import Effect
from workflows_app.services import definitions
from workflows_app.services.effects import AttemptEffects

SEARCH = "/accounts/search"
SHOP = """
service: shop
endpoints: [{connection: first}, {connection: second}]
balance: hash
operations:
  search: {kind: query, method: POST, path: /accounts/search}
  order: {kind: command, method: POST, path: "/accounts/{account}/orders"}
  balance: {path: "/accounts/{account}"}
"""
UNDONE = "compensate: {activity: service.call, with: {service: shop, operation: search}}"


@pytest.fixture
def shop(two: tuple[Site, Site], register: Callable[[str], Any]) -> tuple[Site, Site]:
    """A service of two endpoints with a query that is sent as POST."""
    register(SHOP)
    return two


def searching(**parameters: Any) -> str:
    return calling("search", service="shop", path_params={}, **parameters)


def seen(shop: tuple[Site, Site]) -> int:
    return len(shop[0].seen) + len(shop[1].seen)


def test_a_query_is_no_effect_and_goes_out_without_a_key_but_is_on_record(
    driver: Driver, shop: tuple[Site, Site]
) -> None:
    for site in shop:
        says(site, SEARCH, {"found": 1})

    view = called(driver, searching(json={"name": "ada"}))

    (request,) = shop[0].seen + shop[1].seen
    assert "idempotency-key" not in request.headers
    assert view["effects"] == []
    (call,) = view["calls"]
    assert (call["kind"], call["state"], call["status"], call["idempotency_key"]) == ("query", "confirmed", 200, None)
    assert (call["parameters"]["json"], call["result"]["json"]) == ({"name": "ada"}, {"found": 1})


def test_a_command_goes_out_with_its_key_and_is_an_effect(driver: Driver, shop: tuple[Site, Site]) -> None:
    for site in shop:
        says(site, "/accounts/7/orders", {}, 201)

    view = called(driver, calling("order", service="shop"))

    (effect,) = view["effects"]
    (request,) = shop[0].seen + shop[1].seen
    assert request.headers["idempotency-key"] == effect["idempotency_key"]
    assert view["calls"][0]["kind"] == "command"


def test_a_query_that_was_sent_and_not_answered_asks_the_next_endpoint(driver: Driver, shop: tuple[Site, Site]) -> None:
    for site in shop:
        site.writes(SEARCH, lambda: iter([b""]))

    view = called(driver, searching())

    assert seen(shop) == 2
    assert error(view)["code"] == "HTTP_NO_ANSWER"
    assert "effect" not in error(view)["details"]
    assert [call["state"] for call in view["calls"]] == ["refused", "refused"]


@pytest.mark.parametrize(("operation", "path", "asked"), [("search", SEARCH, 2), ("balance", "/accounts/7", 1)])
def test_only_a_query_asks_the_next_endpoint_where_one_has_failed(
    driver: Driver, shop: tuple[Site, Site], operation: str, path: str, asked: int
) -> None:
    for site in shop:
        site.answers(path, 503)
    given = {} if operation == "search" else {"account": "7"}

    view = called(driver, calling(operation, service="shop", path_params=given))

    assert (view["state"], seen(shop)) == ("failed", asked)


def test_a_query_that_failed_leaves_nothing_to_undo(driver: Driver, shop: tuple[Site, Site]) -> None:
    for site in shop:
        site.writes(SEARCH, lambda: iter([b""]))

    view = called(driver, calling("search", service="shop", path_params={}, more=UNDONE))

    assert view["state"] == "failed"


def test_a_query_whose_attempt_is_ended_in_its_midst_leaves_no_record(driver: Driver, shop: tuple[Site, Site]) -> None:
    driver.start(searching(), {})
    claim = driver.claim_next()
    assert claim is not None

    with pytest.raises(KeyboardInterrupt), AttemptEffects(claim).asked("service.call", "POST somewhere"):
        raise KeyboardInterrupt

    assert not Effect.objects.exists()


def test_an_aggregation_asks_queries_side_by_side(driver: Driver, shop: tuple[Site, Site]) -> None:
    for site in shop:
        says(site, SEARCH, {"found": 1})

    view = run(driver, aggregating({"one": {"service": "shop", "operation": "search", "path_params": {}}}))

    assert view["output"]["data"] == {"one": {"found": 1}}
    assert (view["effects"], [call["kind"] for call in view["calls"]]) == ([], ["query"])


@pytest.mark.parametrize(
    ("operation", "place"),
    [
        ("{kind: query, method: DELETE, path: /x}", "operations.look.method"),
        ("{kind: query, path: /x, idempotent: true}", "operations.look.idempotent"),
        ("{kind: question, path: /x}", "operations.look.kind"),
    ],
)
def test_an_operation_that_contradicts_itself_is_refused(
    db: None, register: Callable[[str], Any], operation: str, place: str
) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        register(f"service: odd\nendpoints: [{{connection: a}}]\noperations: {{look: {operation}}}")

    assert [problem.path for problem in refused.value.problems] == [place]


@pytest.mark.parametrize(
    ("operation", "more", "problems"),
    [
        ("search", UNDONE, [("QUERY_COMPENSATED", "steps[0].compensate")]),
        ("order", UNDONE, [("QUERY_COMPENSATED", "steps[0].compensate")]),
        ("order", "cache: {ttl: 1m}", [("COMMAND_CACHED", "steps[0].cache")]),
        ("search", "cache: {ttl: 1m}", []),
        ("balance", "cache: {ttl: 1m}", []),
    ],
)
def test_publishing_warns_of_what_undoes_a_question_or_reuses_a_command(
    shop: tuple[Site, Site], operation: str, more: str, problems: list[tuple[str, str]]
) -> None:
    given = {} if operation == "search" else {"account": "7"}

    found = definitions.validate(text=calling(operation, service="shop", more=more, path_params=given))

    assert [(each.code, each.path) for each in found] == problems
    assert {each.severity for each in found} <= {"warning"}
