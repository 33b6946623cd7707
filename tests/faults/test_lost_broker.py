"""Rows 7 to 10: the broker forgets everything, or dies and returns, while work is queued, running and starting.

Fused runs hold no message for what follows; Celery's chains lose theirs, or cannot send the next link.
"""

import pytest

from tests.faults import invariants
from tests.faults.installations import CHORD_BROKERS, QUICK_BROKERS
from tests.services.documents import BLOCKED


@pytest.mark.parametrize("product", [*QUICK_BROKERS, "filesystem quick", CHORD_BROKERS[0]], indirect=True)
def test_work_that_was_queued_and_running_when_the_broker_forgot_everything_goes_on(product):
    product.publish(BLOCKED)
    product.worker()
    instances = [product.begin("blocked", {"gate": "row7"}) for _ in range(12)]
    product.called("block", count=2, name="row7")

    product.broker.forget()
    product.release("row7")
    views = [product.ended(instance) for instance in instances]

    assert [view["state"] for view in views] == ["completed"] * 12
    invariants.check(product, instances)


@pytest.mark.parametrize("product", [*QUICK_BROKERS, CHORD_BROKERS[1]], indirect=True)
def test_a_broker_that_dies_and_returns_holds_up_nobody_and_loses_nothing(product):
    product.publish(BLOCKED)
    worker = product.worker()
    instances = [product.begin("blocked", {"gate": "row8"}) for _ in range(4)]
    product.called("block", count=2, name="row8")

    product.broker.kill()
    # Answered while no broker is there, which comes back afterwards only.
    instances.append(product.begin("blocked", {"gate": "row8"}))
    product.broker.start()
    product.release("row8")
    views = [product.ended(instance) for instance in instances]

    assert [view["state"] for view in views] == ["completed"] * 5
    assert worker.alive, "it consumes again without a restart"
    invariants.check(product, instances)
