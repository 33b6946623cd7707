"""A worker that wakes after its lease was lost finishes its step for nothing: its write changes no row."""

import signal

import pytest

from tests.faults import invariants
from tests.services.documents import effect, perform, workflow
from tests.services.processes import PATIENCE, eventually

# What wakes finishes what it was doing; whether it learns first that it is fenced is a race that is not tested here.
HELD = perform("held", "test.block_deaf", parameters={"name": "${ input.gate }"})
FUSED = workflow("fused", effect("before"), HELD, effect("after"))
SENT = workflow("sent", effect("before"), HELD | {"batch": False}, effect("after"))
"""The blocked step has a message of its own: the worker's outcome is offered by a link of a chain."""


@pytest.mark.parametrize("product", ["filesystem quick"], indirect=True)
def test_a_worker_that_was_stopped_beyond_its_lease_cannot_commit(product):
    for document in (FUSED, SENT):
        product.publish(document)
    # Time enough for a busy machine to renew the leases that are not to be lost.
    stalled = product.worker(ORCHESTRATOR_LEASE_SECONDS="4")
    instances = [product.begin(name, {"gate": "stale"}) for name in ("fused", "sent")]
    product.called("block", name="stale", count=2)

    stalled.signal(signal.SIGSTOP)
    product.worker(ORCHESTRATOR_LEASE_SECONDS="4")
    # The steps are held in the second worker now, under newer attempts.
    product.called("block", name="stale", attempt=2, count=2)
    histories = [product.history(instance) for instance in instances]
    product.release("stale", attempt=1)
    stalled.signal(signal.SIGCONT)
    product.called("released", name="stale", attempt=1, count=2)
    eventually(lambda: product.is_idle(stalled), PATIENCE, lambda: f"its results are offered\n{stalled.tail()}")

    assert [product.history(instance) for instance in instances] == histories
    assert [product.show(instance)["steps"]["held"] for instance in instances] == ["running"] * 2
    assert not product.calls("effect", step="after", instance=instances[0])
    # Refused by the fence, without an error.
    assert "Traceback" not in stalled.log.read_text()

    product.release("stale")
    for instance in instances:
        view = product.ended(instance)
        assert view["state"] == "completed"
        assert [(each["step"], each["state"]) for each in view["attempts"]] == [
            ("before", "succeeded"),
            ("held", "lost"),
            ("held", "succeeded"),
            ("after", "succeeded"),
        ]
    invariants.check(product, instances)
