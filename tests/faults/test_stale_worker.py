"""A worker that wakes after its lease was lost finishes its step for nothing: its write changes no row."""

import signal

from tests.faults import invariants
from tests.services.documents import BLOCKED
from tests.services.processes import eventually


def test_a_worker_that_was_stopped_beyond_its_lease_cannot_commit(product):
    product.publish(BLOCKED)
    stalled = product.worker()
    instance = product.begin("blocked", {"gate": "stale"})
    product.called("block", instance=instance)

    stalled.signal(signal.SIGSTOP)
    product.worker()
    # The step is held in the second worker now, under a newer attempt.
    product.called("block", count=2, instance=instance)
    history = product.history(instance)
    product.release("stale", attempt=1)
    stalled.signal(signal.SIGCONT)
    product.called("released", instance=instance, attempt=1)
    eventually(lambda: has_nothing_in_hand(stalled), 20, lambda: f"its result is offered\n{stalled.tail()}")

    assert product.history(instance) == history
    assert product.show(instance)["steps"]["held"] == "running"
    assert "raised unexpected" not in stalled.log.read_text()

    product.release("stale")
    view = product.ended(instance)

    assert view["state"] == "completed"
    assert [(each["step"], each["state"]) for each in view["attempts"]] == [
        ("before", "succeeded"),
        ("held", "lost"),
        ("held", "succeeded"),
        ("after", "succeeded"),
    ]
    invariants.check(product, [instance])


def has_nothing_in_hand(worker) -> bool:
    """Whether every task that the worker received is over."""
    log = worker.log.read_text()
    return log.count(" received") == log.count(" succeeded in ") + log.count(" raised unexpected")
