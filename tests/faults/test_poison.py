"""Row 14: a step that kills every process it meets is quarantined; whatever else is poisonous harms nothing beside it.

The work beside the poison, and before it in the same run, stays.
"""

import pytest

from tests.faults import invariants
from tests.faults.endings import losses
from tests.faults.installations import QUICK_BROKERS
from tests.services.documents import CHAIN, effect, perform, workflow
from tests.services.processes import PATIENCE, eventually

LOSSES = 5
SHORT = "2"
"""Seconds of a lease."""
CAUGHT = ("MemoryError", "SystemExit", "RecursionError", "GeneratorExit")
DEADLY = ("exit", "SIGSEGV", "SIGABRT")


@pytest.mark.parametrize("product", ["filesystem quick"], indirect=True)
def test_a_step_that_kills_its_process_every_time_is_quarantined_after_five_losses(product):
    # Begun by the worker that performed the step before it, or in a message of its own.
    for name, batch in (("fused-poison", True), ("sent-poison", False)):
        poison = perform(name.replace("-", "_"), "test.kill_self", parameters={"name": name, "times": 100}, batch=batch)
        product.publish(workflow(name, effect("before"), poison))
    product.publish(CHAIN)
    # A short lease: five losses in a row shall not take a minute. Celery counts a lost message as in hand for ten
    # seconds, and fetches four for each process.
    product.worker(concurrency=4, ORCHESTRATOR_LEASE_SECONDS=SHORT)

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


@pytest.mark.parametrize("product", QUICK_BROKERS, indirect=True)
def test_whatever_a_step_raises_or_dies_of_the_others_go_on_and_the_pool_is_whole_again(product):
    raising = {f"raises-{kind.lower()}": perform("poison", "test.raise", parameters={"kind": kind}) for kind in CAUGHT}
    dying = {f"dies-of-{how.lower()}": perform("poison", "test.die", parameters={"how": how}) for how in DEADLY}
    for name, poison in {**raising, **dying}.items():
        product.publish(workflow(name, effect("before"), poison))
    product.publish(CHAIN)
    worker = product.worker(concurrency=2, ORCHESTRATOR_LEASE_SECONDS=SHORT)
    children = len(worker.children)

    poisoned = {name: product.begin(name) for name in (*raising, *dying)}
    beside = product.begin("chain")
    views = {name: product.ended(instance) for name, instance in poisoned.items()}

    assert product.ended(beside)["state"] == "completed"
    assert {view["state"] for view in views.values()} == {"compensated"}
    codes = {name: view["error"]["code"] for name, view in views.items()}
    assert codes == {f"raises-{kind.lower()}": kind for kind in CAUGHT} | dict.fromkeys(dying, "QUARANTINED")
    assert worker.alive
    eventually(lambda: len(worker.children) == children, PATIENCE, lambda: f"{children} processes, {worker.children}")
    invariants.check(product, [*poisoned.values(), beside])


@pytest.mark.parametrize("product", QUICK_BROKERS, indirect=True)
def test_messages_that_nobody_can_read_are_dropped_and_the_worker_goes_on(product):
    product.publish(CHAIN)
    worker = product.worker(concurrency=1)
    task = {"id": "1", "lang": "py", "argsrepr": "()", "kwargsrepr": "{}"}

    product.messages.put("default", b"\x80\x04N.", content_type="application/x-python-serialize", task="x", **task)
    product.messages.put("default", b"{not json", task="orchestrator.step", **task)
    product.messages.put("default", b"[[], {}, {}]", task="no.such.task", **task)
    product.messages.put("default", b"[[], {}, {}]", task="orchestrator.step", **task)
    product.messages.put("default", b"nothing at all", content_type="text/plain")
    view = product.ended(product.begin("chain"))

    assert view["state"] == "completed"
    eventually(lambda: product.messages.waiting("default") == 0, PATIENCE, "the queue is empty")
    assert worker.alive
    invariants.check(product, [view["id"]])
