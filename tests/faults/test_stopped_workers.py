"""Row 3: a worker that is told to end commits the step in its hands; one that takes too long for that runs again."""

from __future__ import annotations

import os
import signal

import pytest

from tests.faults import invariants
from tests.faults.installations import QUICK_BROKERS, Variant
from tests.services.documents import BLOCKED
from tests.services.processes import PATIENCE, eventually


@pytest.mark.parametrize("product", [QUICK_BROKERS[0]], indirect=True)
def test_a_step_that_ends_within_the_grace_is_committed_and_what_follows_runs_elsewhere(product: Variant) -> None:
    product.publish(BLOCKED)
    leaving = product.worker()
    instance = product.begin("blocked", {"gate": "short"})
    product.called("block", instance=instance)
    product.worker()

    os.kill(leaving.pid, signal.SIGTERM)
    product.release("short")
    view = product.ended(instance)

    eventually(lambda: not leaving.alive, PATIENCE, leaving.tail)
    assert view["state"] == "completed"
    assert product.attempts(instance)["held"] == 1
    invariants.check(product, [instance])


@pytest.mark.parametrize("product", ["filesystem quick"], indirect=True)
def test_a_step_that_outlives_the_grace_runs_again_elsewhere(product: Variant) -> None:
    product.publish(BLOCKED)
    leaving = product.worker()
    instance = product.begin("blocked", {"gate": "long"})
    product.called("block", instance=instance)
    other = product.worker()

    os.kill(leaving.pid, signal.SIGTERM)
    leaving.kill()  # the grace is over
    again = product.called("block", count=2, instance=instance)
    product.release("long")
    view = product.ended(instance)

    assert view["state"] == "completed"
    assert (again["attempt"], again["pid"] in other.children) == (2, True)
    invariants.check(product, [instance])


@pytest.mark.parametrize("product", ["filesystem quick"], indirect=True)
def test_a_step_whose_pool_process_is_told_to_end_too_has_not_failed(product: Variant) -> None:
    product.publish(BLOCKED)
    leaving = product.worker()
    instance = product.begin("blocked", {"gate": "group"})
    product.called("block", instance=instance)
    product.worker()

    leaving.signal(signal.SIGTERM)  # to the whole group, as service managers do
    product.called("block", count=2, instance=instance)
    product.release("group")
    view = product.ended(instance)

    assert view["state"] == "completed"
    assert [a["state"] for a in view["attempts"] if a["step"] == "held"] == ["lost", "succeeded"]
    invariants.check(product, [instance])
