"""Row 4: whatever dies between an effect, its commit, what is published after it and the acknowledgement, it converges.

Only an effect whose outcome was not committed may be repeated, with the same idempotency key.
"""

from __future__ import annotations

import pytest

from tests.faults import invariants
from tests.services.documents import SAGA
from tests.services.fixtures import SERVER_BROKERS

pytestmark = pytest.mark.parametrize("product", SERVER_BROKERS, indirect=True)

FAULTS = {
    "effect done, not committed": "step.executed=kill@1",
    "committed, not published": "step.committed=kill@3",
    "committed, not acknowledged": "dispatch.published=kill-group@2",
    "executed, then the connection failed": "step.committed=raise@4",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_saga_converges_and_repeats_no_committed_effect(product, fault):
    product.publish(SAGA)
    point = FAULTS[fault]
    product.disarm(point)
    look_after = product.supervised_worker(ORCHESTRATOR_FAILPOINTS=point)
    instance = product.begin("saga")
    view = product.ended(instance, meanwhile=look_after)

    assert len(product.fired(point)) == int(point.rpartition("@")[2])
    assert view["state"] == "compensated"
    assert view["cause"] == "failure"
    repeated = "reserve" if fault == "effect done, not committed" else None
    assert len(product.calls("effect", instance=instance, step="reserve")) == (2 if repeated else 1)
    invariants.check(product, [instance], repeats={repeated})
