"""A service takes a request, and answers later by a request of its own: over real processes, once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults import invariants
from tests.services import bank as outside
from tests.services import web
from tests.services.bank import Bank
from tests.services.documents import perform, workflow
from tests.services.processes import PATIENCE, eventually
from tests.services.product import Product

ASKING = workflow(
    "asks",
    perform(
        "ask",
        "service.call",
        parameters={"service": "bank", "operation": "charge", "json": {"answer_to": "${ callback('answer') }"}},
    ),
    {"id": "answer", "receive": {"callback": True, "timeout": "1h"}},
    output="${ steps.answer.output.data }",
)


@pytest.fixture
def bank() -> Iterator[Bank]:
    with outside.running() as bank:
        bank.status = 202
        yield bank


@pytest.mark.acceptance
def test_a_service_that_answers_twice_resumes_the_step_once(apart: Product, bank: Bank) -> None:
    bank.registered(apart)
    apart.worker(ORCHESTRATOR_PUBLIC_URL=web.serve(apart), **bank.environment)

    view = apart.run(ASKING)
    eventually(lambda: len(bank.met_with) == 2, PATIENCE, lambda: str(bank.met_with))

    assert (view["state"], view["output"]) == ("completed", {"booked": True})
    assert bank.met_with == [202, 409]
    assert len(bank.asked) == 1
    invariants.check(apart, [view["id"]])
