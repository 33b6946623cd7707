"""A step that kills every process it meets is quarantined; the work beside it, and before it in the same run, stays."""

import pytest

from tests.faults import invariants
from tests.faults.endings import losses
from tests.services.documents import CHAIN, effect, perform, workflow

LOSSES = 5


@pytest.mark.parametrize("product", ["filesystem quick"], indirect=True)
def test_a_step_that_kills_its_process_every_time_is_quarantined_after_five_losses(product):
    # Begun by the worker that performed the step before it, or in a message of its own.
    for name, batch in (("fused-poison", True), ("sent-poison", False)):
        poison = perform(name.replace("-", "_"), "test.kill_self", parameters={"name": name, "times": 100}, batch=batch)
        product.publish(workflow(name, effect("before"), poison))
    product.publish(CHAIN)
    # A short lease: five losses in a row shall not take a minute. Celery counts a lost message as in hand for ten
    # seconds, and fetches four for each process.
    product.worker(concurrency=4, ORCHESTRATOR_LEASE_SECONDS="1")

    poisoned = [product.begin("fused-poison"), product.begin("sent-poison")]
    beside = product.begin("chain")
    views = [product.ended(instance) for instance in (beside, *poisoned)]

    assert [view["state"] for view in views] == ["completed", "compensated", "compensated"]
    assert [view["error"]["code"] for view in views[1:]] == ["QUARANTINED"] * 2
    for instance, step in zip(poisoned, ("fused_poison", "sent_poison"), strict=True):
        assert losses(product, instance) == [step] * (LOSSES - 1)
        assert product.attempts(instance) == {"before": 2, step: LOSSES}
        assert len(product.calls("effect", instance=instance)) == len(product.calls("undo", instance=instance)) == 1
    assert [message["step"] for message in product.delivered(poisoned[0])][:2] == ["before", "fused_poison"]
    invariants.check(product, [*poisoned, beside])
