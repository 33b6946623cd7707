"""Rows 1 and 2: a killed process holds nothing up for longer than its lease and one sweep, on any broker.

How long that took with the lease that installations have by default is said at the end of the run; on an idle machine
it is less than fifteen seconds. What a busy one takes says nothing, so no test fails by it.

The step that is killed is the second of its instance: its worker went on to it in a fused run, or Celery sent it as
the second link of a chain.
"""

import os
import signal
import time

import pytest

from tests.faults import invariants
from tests.faults.installations import CHORD_BROKERS, QUICK_BROKERS, RABBITMQ, REDIS
from tests.services.documents import BLOCKED


def carried(product) -> list[tuple[str, list[str]]]:
    """The messages that carry an instance up to its blocked step, with the links after them."""
    return [("before", [])] if product.fuses else [("before", ["held", "after"]), ("held", ["after"])]


@pytest.mark.parametrize("product", [REDIS, QUICK_BROKERS[1], "filesystem quick", CHORD_BROKERS[0]], indirect=True)
def test_a_step_whose_pool_process_is_killed_goes_on(product, measured):
    product.publish(BLOCKED)
    product.worker()
    instance = product.begin("blocked", {"gate": "row1"})
    held = product.called("block", instance=instance)

    os.kill(held["pid"], signal.SIGKILL)
    killed = time.time()
    again = product.called("block", count=2, instance=instance)
    product.release("row1")
    view = product.ended(instance)

    measured("its pool process", again["at"] - killed)
    assert again["attempt"] == 2
    assert view["state"] == "completed"
    messages = [(message["step"], message["chain"]) for message in product.delivered(instance)]
    assert messages[: len(carried(product))] == carried(product)
    invariants.check(product, [instance])


@pytest.mark.parametrize("product", [QUICK_BROKERS[0], RABBITMQ, "filesystem quick", CHORD_BROKERS[1]], indirect=True)
def test_the_work_of_a_killed_worker_goes_on_elsewhere(product, measured):
    product.publish(BLOCKED)
    doomed, other = product.worker(), product.worker()
    instances = [product.begin("blocked", {"gate": "row2"}) for _ in range(10)]
    # Both workers are full and have fetched more than they perform.
    product.called("block", count=4, name="row2")
    held = [call for call in product.calls("block", name="row2") if call["pid"] in doomed.children]
    assert held

    doomed.kill()
    killed = time.time()
    product.release("row2")
    repeated = [product.called("block", count=2, instance=call["instance"]) for call in held]
    views = [product.ended(instance) for instance in instances]

    measured("its whole worker", max(call["at"] for call in repeated) - killed)
    assert {call["pid"] for call in repeated} <= set(other.children)
    assert [view["state"] for view in views] == ["completed"] * 10
    invariants.check(product, instances)
