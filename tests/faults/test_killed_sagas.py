"""Rows 20 and 21: an undo goes on where it was, whatever dies; one that never works is seen, and stops no other."""

import os
import signal

import pytest

from tests.faults import invariants
from tests.faults.installations import QUICK_BROKERS
from tests.services.documents import BLOCKED, SAGA, block, effect, workflow
from tests.services.processes import PATIENCE, eventually

pytestmark = pytest.mark.parametrize("product", QUICK_BROKERS, indirect=True)


def cancelled_in_the_midst(product, document) -> str:
    """An instance that was cancelled while its blocked step ran, on workers that died before they heard of it."""
    product.publish(document)
    doomed = product.worker()
    instance = product.begin(document["workflow"], {"gate": "never"})
    product.called("block", instance=instance)
    # Halted first: it could not have been told between the two.
    doomed.signal(signal.SIGSTOP)
    answer = product.command("workflow", "cancel", instance, "--reason", "the customer called")
    assert answer.code == 0, answer
    doomed.kill()
    return instance


def test_a_cancel_in_the_midst_of_a_step_goes_on_when_workers_return(product):
    instance = cancelled_in_the_midst(product, BLOCKED)

    product.worker()
    view = product.ended(instance)

    assert (view["state"], view["cause"]) == ("compensated", "cancelled")
    # Nobody knows how far the killed attempt came.
    assert view["steps"] == {"before": "compensated", "held": "failed", "after": "cancelled"}
    assert [a["state"] for a in view["attempts"] if a["step"] == "held"] == ["lost"]
    assert [call["step"] for call in product.calls("undo", instance=instance)] == ["before"]
    invariants.check(product, [instance])


def test_a_cancel_with_nothing_to_undo_ends_cancelled_when_the_lease_is_over(product):
    instance = cancelled_in_the_midst(product, workflow("nothing-to-undo", block("held")))

    eventually(lambda: product.show(instance)["state"] == "cancelled", PATIENCE, lambda: str(product.show(instance)))

    assert product.show(instance)["cause"] == "cancelled"
    invariants.check(product, [instance])


def test_an_undo_that_is_killed_goes_on_at_the_step_that_it_was_at(product):
    steps = [effect(name, compensate={"activity": "test.block", "with": {"name": f"{name}-undo"}}) for name in "abc"]
    hopeless = effect(
        "hopeless", compensate={"activity": "core.fail", "with": {"code": "NO_WAY", "recoverable": False}}
    )
    document = workflow("killed-undo", steps[0], steps[1], hopeless, steps[2], SAGA["steps"][-1])
    product.publish(document)
    product.worker(concurrency=1)
    instance = product.begin("killed-undo")

    for name in ("c", "b", "a"):
        held = product.called("block", instance=instance, step=name)
        os.kill(held["pid"], signal.SIGKILL)
        product.called("block", instance=instance, step=name, count=2)
        product.release(f"{name}-undo")
    view = product.ended(instance)

    assert view["state"] == "compensation_failed"
    compensated = dict.fromkeys(("a", "b", "c"), "compensated")
    assert view["steps"] == {**compensated, "hopeless": "compensation_failed", "refuse": "failed"}
    undone = [event["step"] for event in product.history(instance) if event["type"] == "step.compensated"]
    assert undone == ["c", "b", "a"]
    failed = next(attempt for attempt in view["attempts"] if attempt["step"] == "hopeless" and attempt["error"])
    assert (failed["role"], failed["error"]["code"]) == ("compensation", "NO_WAY")
    invariants.check(product, [instance])
