"""The effect ledger: what a step does outside is on record before it is done, and so is what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tasks import execution
from tasks.leases import Hold
from tests.integration.activities.conftest import Site
from tests.integration.driver import Driver
from workflows_app.activities import ActivityContext, registry
from workflows_app.activities.afterwards import Afterwards
from workflows_app.engine.errors import ActivityError, AttemptCancelled
from workflows_app.engine.masking import Masks
from workflows_app.management import listing
from workflows_app.models import Effect, Instance
from workflows_app.selectors import results
from workflows_app.services import instances, sweep
from workflows_app.services.effects import AttemptEffects
from workflows_app.services.steps import Claim

LEASE_IS_OVER = 20
CHARGE = """
workflow: charge
version: 1.0.0
steps:
  - id: pay
    activity: http.request
    with: {connection: bank, method: %s, path: /charges?token=hush, json: {amount: 7}}
    retry: {max_attempts: 2, initial_interval: 1s, jitter: 0}
    compensate: {activity: http.request, with: {connection: bank, method: POST, path: /refunds}}
  - {id: pause, wait: {for: 1d}}
"""


@pytest.fixture
def driver(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """A driver whose steps go the whole way of a worker's: claim, perform, record."""

    @contextmanager
    def hold(claim: Claim, slow: Any = None) -> Iterator[Hold]:
        yield Hold(claim, slow)

    registry.discover()
    monkeypatch.setattr(execution.keeper, "hold", hold)
    monkeypatch.setattr(execution, "drop_open_transactions", lambda: None)
    monkeypatch.setattr(driver, "work", execution.run)
    return driver


def started(driver: Driver, method: str = "POST") -> Instance:
    found = driver.start(CHARGE % method, {})
    driver.drain()
    return found


def effects(found: Instance) -> list[dict[str, Any]]:
    return list(results.instance_view(found.pk)["effects"])


def test_a_confirmed_request_is_on_record_with_its_key(driver: Driver, bank: Site) -> None:
    bank.answers("/charges", 201)

    found = started(driver)

    (effect,) = effects(found)
    assert (effect["step"], effect["attempt"], effect["role"], effect["kind"]) == ("pay", 1, "action", "http.request")
    assert effect["target"] == f"POST http://127.0.0.1:{bank.port}/charges"
    assert effect["idempotency_key"] == bank.seen[0].headers["idempotency-key"]
    assert (effect["state"], effect["facts"]) == ("confirmed", {"status": 201})
    assert "http.request" in listing.details(results.instance_view(found.pk))


def test_a_request_that_changes_nothing_is_no_effect(driver: Driver, bank: Site) -> None:
    bank.answers("/charges", 200)

    assert effects(started(driver, "GET")) == []


def test_a_refused_request_had_no_effect(driver: Driver, bank: Site) -> None:
    bank.answers("/charges", 422)

    found = started(driver)

    assert [(e["state"], e["facts"]) for e in effects(found)] == [("refused", {"status": 422, "code": "HTTP_ERROR"})]


def test_a_request_without_a_usable_answer_is_unknown_and_the_next_attempt_has_the_same_key(
    driver: Driver, bank: Site
) -> None:
    bank.answers("/charges", 500)
    found = started(driver)
    bank.answers("/charges", 200)

    driver.advance(2)
    sweep.fire_timers()
    driver.drain()

    first, second = effects(found)
    assert [(e["attempt"], e["state"]) for e in (first, second)] == [(1, "unknown"), (2, "confirmed")]
    assert first["idempotency_key"] == second["idempotency_key"]


def test_an_undo_is_an_effect_of_its_own(driver: Driver, bank: Site) -> None:
    bank.answers("/charges", 201)
    bank.answers("/refunds", 204)
    found = started(driver)

    instances.cancel(instance_id=found.pk, actor="ada")
    driver.drain()

    _, undo = effects(found)
    assert (undo["role"], undo["state"]) == ("compensation", "confirmed")
    assert undo["idempotency_key"].endswith(":undo")


def claimed(driver: Driver) -> Claim:
    found = driver.start(CHARGE % "POST", {})
    claim = driver.claim_next(found.pk)
    assert claim is not None
    return claim


def test_what_a_lost_attempt_had_planned_is_unknown(driver: Driver, bank: Site) -> None:
    claim = claimed(driver)
    planned = AttemptEffects(claim).planned("test", "a place")
    planned.__enter__()
    before = effects(Instance.objects.get(pk=claim.instance_id))[0]["state"]

    driver.advance(LEASE_IS_OVER)
    sweep.end_overdue_attempts()

    assert (before, effects(Instance.objects.get(pk=claim.instance_id))[0]["state"]) == ("planned", "unknown")


def test_an_attempt_that_is_over_does_nothing_outside_any_more(driver: Driver, bank: Site) -> None:
    claim = claimed(driver)
    driver.advance(LEASE_IS_OVER)
    sweep.end_overdue_attempts()
    context = execution._context(claim, Hold(claim), Afterwards(), Masks())

    with pytest.raises(AttemptCancelled, match="nothing was sent"):
        registry.get("http.request").perform(claim.parameters, context)

    assert bank.seen == []
    assert Effect.objects.count() == 0


def test_news_that_come_after_the_attempt_was_given_up_are_kept(driver: Driver, bank: Site) -> None:
    claim = claimed(driver)

    with AttemptEffects(claim).planned("test", "a place") as effect:
        driver.advance(LEASE_IS_OVER)
        sweep.end_overdue_attempts()
        effect.facts["status"] = 201

    assert Effect.objects.get().state == "confirmed"


@pytest.mark.parametrize(
    ("raised", "state"),
    [
        (ActivityError("no"), "refused"),
        (ActivityError("who knows", details={"effect": "unknown"}), "unknown"),
        (AttemptCancelled("told to stop"), "refused"),
        (ValueError("a bug"), "unknown"),
    ],
)
def test_what_is_raised_says_what_is_known(driver: Driver, bank: Site, raised: Exception, state: str) -> None:
    claim = claimed(driver)

    with pytest.raises(type(raised)), AttemptEffects(claim).planned("test", "a\nplace\x1b[2J " + "x" * 999):
        raise raised

    effect = Effect.objects.get()
    assert effect.state == state
    assert effect.target.startswith("a place [2J xxx")
    assert len(effect.target) == 500


def test_a_ledger_that_cannot_be_reached_fails_no_step(
    driver: Driver, bank: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = claimed(driver)
    ledger = AttemptEffects(claim)

    with ledger.planned("test", "a place"):
        monkeypatch.setattr(ledger, "_text", lambda facts: "{")

    assert Effect.objects.get().state == "planned"


@pytest.mark.parametrize("fact", [object(), float("nan"), "x" * 5000])
def test_facts_that_cannot_be_kept_are_left_out(driver: Driver, bank: Site, fact: Any) -> None:
    with AttemptEffects(claimed(driver)).planned("test", "a place") as effect:
        effect.facts["fact"] = fact

    kept = Effect.objects.get()
    assert kept.state == "confirmed"
    assert set(kept.facts) == {"left_out"}


def test_mail_is_an_effect_too(driver: Driver, attempt: Callable[..., ActivityContext]) -> None:
    claim = claimed(driver)
    context = attempt(effects=AttemptEffects(claim))

    registry.get("mail.send").perform({"to": "depot@example.com", "subject": "Hello", "text": "Hello"}, context)

    effect = Effect.objects.get()
    assert (effect.kind, effect.target, effect.state) == ("mail.send", "to depot@example.com", "confirmed")
    assert effect.facts["message_id"].startswith("<")
