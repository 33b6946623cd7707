"""Breakers and bulkheads between sessions: what one learns holds for the others, and one place is taken once."""

from __future__ import annotations

import threading
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from tests.integration.remote_services.conftest import SERVICE
from tests.integration.robustness.test_sessions import together
from tests.services.processes import PATIENCE
from workflows_app import dispatch
from workflows_app.engine.errors import ActivityError
from workflows_app.models import Breaker, Dispatch, Place, Turn
from workflows_app.services import definitions, instances, service_calls, service_registry, steps
from workflows_app.services.service_calls import Outcome
from workflows_app.services.steps import Claim

ASKING = 8


@pytest.fixture(autouse=True)
def registered(committed_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "send", lambda *_: None)
    monkeypatch.setattr(dispatch, "depth", lambda queue: None)
    service_registry.register(text=SERVICE, actor="ada")


def admitted(claim: Claim | None = None) -> Any:
    service = service_registry.at_hand("bank")
    assert service is not None
    return service_calls.admitted(
        service=service,
        operation=service.operations["charge"],
        endpoints=list(service.endpoints),
        instance_id=claim.instance_id if claim else uuid4(),
        path=claim.path if claim else "pay",
        number=claim.number if claim else 1,
        seconds=PATIENCE,
    )


def fail() -> None:
    with admitted() as verdict:
        verdict.outcome = Outcome.FAILED


class Crowd:
    """Sessions that ask at the same moment; who is let in stays until everybody has his answer."""

    def __init__(self, claims: list[Claim] | None = None) -> None:
        self.together = threading.Barrier(ASKING)
        self.answered = threading.Barrier(ASKING)
        self.claims = claims
        self.inside: list[int] = []
        self.refused: list[str] = []

    def ask(self, number: int) -> None:
        self.together.wait(PATIENCE)
        try:
            with admitted(self.claims[number] if self.claims else None) as verdict:
                self.inside.append(number)
                self.answered.wait(PATIENCE)
                verdict.outcome = Outcome.ANSWERED
        except ActivityError as refused:
            self.refused.append(refused.code)
            self.answered.wait(PATIENCE)

    def come(self) -> None:
        assert together(*[lambda number=number: self.ask(number) for number in range(ASKING)]) == []


def test_what_one_session_learns_holds_for_the_others_at_their_next_call() -> None:
    assert together(fail, fail, fail) == []

    with pytest.raises(ActivityError) as refused, admitted():
        pass

    assert refused.value.code == "CIRCUIT_OPEN"
    assert Breaker.objects.get().failures == 3


def test_failures_counted_side_by_side_are_all_counted() -> None:
    service_registry.register(text=SERVICE.replace("failures: 3", "failures: 1000"), actor="ada")

    assert together(*[lambda: [fail() for _ in range(25)] for _ in range(4)]) == []  # type: ignore[func-returns-value]

    assert Breaker.objects.get().failures == 100


def test_of_many_that_ask_at_once_when_it_is_time_one_goes_through() -> None:
    for _ in range(3):
        fail()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE workflows_app_breaker SET open_until = now()")
    crowd = Crowd()

    crowd.come()

    assert len(crowd.inside) == 1
    assert crowd.refused == ["CIRCUIT_OPEN"] * (ASKING - 1)
    assert (Breaker.objects.get().state, Breaker.objects.get().probe) == ("closed", None)


def test_of_many_that_ask_at_once_only_so_many_find_a_place() -> None:
    service_registry.register(text=SERVICE + "bulkhead: {limit: 3}\n", actor="ada")
    definitions.publish(
        text="workflow: w\nversion: 1.0.0\nsteps: [{id: pay, activity: core.echo}]",
        actor="ada",
    )
    for _ in range(ASKING):
        instances.start(name="w", actor="ada")
    claims = [
        steps.claim(instance_id=row.instance_id, path=row.path, generation=row.generation, worker="w")
        for row in Dispatch.objects.order_by("id")
    ]
    crowd = Crowd([claim for claim in claims if claim is not None])

    crowd.come()

    assert len(crowd.inside) == 3
    assert crowd.refused == ["BULKHEAD_FULL"] * (ASKING - 3)
    assert not Place.objects.exists()


def test_sessions_that_ask_at_once_share_one_rate_and_get_turns_one_after_the_other() -> None:
    rated = SERVICE.replace('/charges"}', '/charges", rate: {limit: 3, per: 30s}}')
    service_registry.register(text=rated, actor="ada")
    crowd = Crowd()

    crowd.come()

    assert (len(crowd.inside), crowd.refused) == (3, ["RATE_LIMITED"] * 5)
    due = sorted(Turn.objects.values_list("due_at", flat=True))
    assert {round((later - earlier).total_seconds()) for earlier, later in pairwise(due)} == {10}
