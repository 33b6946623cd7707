"""A step that kills every process it meets is quarantined; the work beside it goes on."""

from tests.faults import invariants
from tests.services.documents import CHAIN, perform, workflow

LOSSES = 5


def test_a_step_that_kills_its_process_every_time_is_quarantined_after_five_losses(product):
    poison = workflow("poison", perform("poison", "test.kill_self", parameters={"name": "poison", "times": 100}))
    product.publish(poison)
    product.publish(CHAIN)
    # A short lease: five losses in a row shall not take a minute.
    product.worker(ORCHESTRATOR_LEASE_SECONDS="1")

    poisoned, beside = product.begin("poison"), product.begin("chain")
    views = [product.ended(beside), product.ended(poisoned, 60)]

    assert [view["state"] for view in views] == ["completed", "failed"]
    assert views[1]["error"]["code"] == "QUARANTINED"
    assert product.attempts(poisoned) == {"poison": LOSSES}
    invariants.check(product, [poisoned, beside])
