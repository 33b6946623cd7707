"""A worker that wakes after its lease was lost finishes its step for nothing: its write changes no row."""

import signal

from tests.faults import invariants
from tests.services.documents import BLOCKED, CHAIN


def test_a_worker_that_was_stopped_beyond_its_lease_cannot_commit(product):
    product.publish(BLOCKED)
    product.publish(CHAIN)
    stalled = product.worker()
    instance = product.begin("blocked", {"gate": "stale"})
    product.called("block", instance=instance)

    stalled.signal(signal.SIGSTOP)
    other = product.worker()
    product.called("block", count=2, instance=instance)
    product.release("stale")
    view = product.ended(instance)
    history = product.history(instance)
    stalled.signal(signal.SIGCONT)
    product.called("released", count=2, instance=instance)
    # It has offered its result once it performs other work.
    other.kill()
    following = [product.begin("chain") for _ in range(4)]
    for each in following:
        product.ended(each)

    assert view["state"] == "completed"
    assert product.history(instance) == history
    assert product.show(instance) == view
    invariants.check(product, [instance, *following])
