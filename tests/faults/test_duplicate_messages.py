"""Row 5: the same message fifty times at once is one claim and forty-nine no-ops."""

import pytest

from tests.faults import invariants
from tests.services.documents import CHAIN
from tests.services.fixtures import SERVER_BROKERS
from tests.services.processes import eventually

COPIES = 50

pytestmark = pytest.mark.parametrize("product", SERVER_BROKERS, indirect=True)


def test_fifty_copies_of_a_message_perform_its_step_once(product):
    product.publish(CHAIN)
    # Nobody consumes yet, so the message of the first step waits in the broker.
    instance = product.begin("chain")
    product.messages.multiply("default", COPIES)
    workers = [product.worker(), product.worker()]

    view = product.ended(instance)
    for word in (" received", " succeeded in "):
        eventually(
            lambda word=word: sum(worker.log.read_text().count(word) for worker in workers) >= COPIES,
            30,
            lambda word=word: f"{COPIES} messages{word}\n{product.tails()}",
        )
    eventually(lambda: product.messages.waiting("default") == 0, 30, "the queue is empty")
    # A no-op is no error either.
    assert not [worker.tail() for worker in workers if "raised unexpected" in worker.log.read_text()]

    assert view["state"] == "completed"
    assert product.attempts(instance) == {"first": 1, "second": 1, "third": 1}
    assert [call["step"] for call in product.calls("effect", instance=instance)] == ["first", "second", "third"]
    invariants.check(product, [instance])
