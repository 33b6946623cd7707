"""Row 5: the same message fifty times at once is one claim and forty-nine no-ops, whatever comes along or after it."""

from collections import Counter

import pytest

from tests.faults import invariants
from tests.faults.installations import CHORD_BROKERS, QUICK_BROKERS, unaided
from tests.faults.lanes import NO_TIME_LIMIT
from tests.services.documents import effect, workflow
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


@pytest.mark.redis
@pytest.mark.parametrize("product", ["redis quick"], indirect=True)
def test_copies_of_a_chunk_perform_each_of_its_steps_once(product):
    product.publish(workflow("copied-chunk", *[effect(f"s{number}", needs=[]) for number in range(WIDTH)]))
    with unaided(product):
        instance = product.begin("copied-chunk")
        product.messages.multiply("default", COPIES)
        product.worker()
        view = product.ended(instance)

    assert view["state"] == "completed"
    assert {message["step"]: message["mates"] for message in product.delivered(instance)}["s0"] == ["s1", "s2"]
    assert product.attempts(instance) == {f"s{number}": 1 for number in range(WIDTH)}
    invariants.check(product, [instance])
