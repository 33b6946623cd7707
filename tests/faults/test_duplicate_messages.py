"""Row 5: the same message fifty times at once is one claim and forty-nine no-ops, whatever comes along or after it.

Row 6: no visibility timeout hands out a message again while its step runs, since Redis keeps none.
"""

from collections import Counter

import pytest

from tests.faults import invariants
from tests.faults.installations import CHORD_BROKERS, QUICK_BROKERS, unaided
from tests.faults.lanes import NO_TIME_LIMIT
from tests.services.documents import BLOCKED, effect, workflow
from tests.services.processes import PATIENCE, eventually

COPIES = 50
WIDTH = 24
JOIN = workflow(
    "join",
    effect("first", needs=[]),
    effect("second"),
    effect("beside", needs=[]),
    effect("body", needs=["second", "beside"]),
)
"""Two steps in a row, one beside them, and a join."""


def all_delivered(product, instance: str, messages: int) -> Counter[str]:
    """Wait until the workers are done with so many messages of an instance; how many of each step there were."""
    eventually(
        lambda: len(product.delivered(instance)) >= messages and product.messages.waiting("default") == 0,
        PATIENCE,
        lambda: f"{messages} messages, were {len(product.delivered(instance))}\n{product.tails()}",
    )
    eventually(lambda: all(map(product.is_idle, product.workers())), PATIENCE, "every message is dealt with")
    # A no-op is no error either.
    assert not [worker.tail() for worker in product.workers() if "raised unexpected" in worker.log.read_text()]
    return Counter(message["step"] for message in product.delivered(instance))


@pytest.mark.parametrize("product", [*QUICK_BROKERS, *CHORD_BROKERS], indirect=True)
def test_fifty_copies_of_every_message_perform_each_step_once_and_carry_on_once(product):
    product.publish(JOIN)
    with unaided(product):
        # Nobody consumes yet, so the messages of the first steps wait in the broker.
        instance = product.begin("join")
        for _ in ("first", "beside"):
            product.messages.multiply("default", COPIES)
        for _ in range(2):
            product.worker(ORCHESTRATOR_TEST_BUDGET=NO_TIME_LIMIT)
        view = product.ended(instance)
        carried = {} if product.fuses else {"second": 1, "body": 1}
        delivered = all_delivered(product, instance, 2 * COPIES + len(carried))

    assert view["state"] == "completed"
    assert delivered == {"first": COPIES, "beside": COPIES, **carried}
    assert product.attempts(instance) == {"first": 1, "second": 1, "beside": 1, "body": 1}
    calls = [call["step"] for call in product.calls("effect", instance=instance)]
    assert calls[-1] == "body"
    assert sorted(calls) == ["beside", "body", "first", "second"]
    ahead = {message["step"]: (message["chain"], message["chord"]) for message in product.delivered(instance)}
    assert ahead["first"] == (([], ["body"]) if product.fuses else (["second"], []))
    assert ahead["beside"] == ([], ["body"])
    invariants.check(product, [instance])


@pytest.mark.parametrize("product", [QUICK_BROKERS[0]], indirect=True)
def test_redis_keeps_no_message_that_it_could_hand_out_again_while_its_step_runs(product):
    product.publish(BLOCKED)
    product.worker()
    instance = product.begin("blocked", {"gate": "row6"})
    product.called("block", instance=instance)

    with product.broker.client() as redis:
        kept = [key for key in redis.keys("*") if b"unacked" in key]
    product.release("row6")
    view = product.ended(instance)

    assert kept == []
    assert view["state"] == "completed"
    assert set(product.attempts(instance).values()) == {1}
    invariants.check(product, [instance])
