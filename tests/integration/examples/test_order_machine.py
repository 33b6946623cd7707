"""The example state machine, over a shop that really listens: its books tell what the order has done to the world."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from examples.order_processing.orders import FILE
from tests.integration.driver import Driver
from tests.integration.examples.conftest import Customer
from workflows_app.engine import definition
from workflows_app.engine.errors import ActivityError, OrchestratorError
from workflows_app.engine.verifier import verify
from workflows_app.models import Instance, Step
from workflows_app.services import machines, sweep

WORKFLOW = FILE.parents[1] / "order_state_machine" / "workflow.yaml"
README = WORKFLOW.with_name("README.md")
ORDER = json.loads(WORKFLOW.with_name("order.json").read_text(encoding="utf-8"))


class AtTheShop(Mapping[str, Any]):
    """Performs every action: calls go to the shop under the step's own key, mail is kept."""

    def __init__(self, shop: Customer) -> None:
        self.shop = shop
        self.mail: list[str] = []

    def __getitem__(self, path: str) -> Any:
        return self.perform

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def perform(self, claim: Any) -> Any:
        if claim.activity.startswith("mail.send"):
            self.mail.append(claim.parameters["subject"])
            return None
        call = claim.parameters
        answer = self.shop.post(call["path"], claim.idempotency_key, **call["json"])
        if answer.status_code >= 400:
            raise ActivityError(answer.text, code="HTTP_STATUS", details={"status": answer.status_code})
        return {"status": answer.status_code, "json": answer.json()}


class Order:
    """One order: sends events and performs what they lead to."""

    def __init__(self, driver: Driver, shop: Customer, **changed: Any) -> None:
        self.driver = driver
        self.shop = shop
        driver.perform = self.world = AtTheShop(shop)
        self.instance = driver.start(WORKFLOW.read_text(encoding="utf-8"), {**ORDER, **changed})

    def send(self, *events: str, data: Any = None) -> Order:
        for event in events:
            machines.send_event(instance_id=self.instance.pk, event=event, data=data, actor="ada")
            self.driver.run_for(self.instance, seconds=15)
        return self

    @property
    def row(self) -> Instance:
        return Instance.objects.get(pk=self.instance.pk)

    @property
    def state(self) -> str | None:
        return self.row.machine_state

    def wait(self, hours: float) -> None:
        self.driver.advance(hours * 3600)
        sweep.fire_timers()


@pytest.fixture
def order(driver: Driver, shop: Customer) -> Order:
    return Order(driver, shop)


PAID = ("order_validated", "payment_initiated", "payment_completed")
SENT = (*PAID, "inventory_allocated", "order_shipped")


def test_the_document_is_sound_and_reads_back_as_it_is() -> None:
    parsed = definition.parse(definition.load(WORKFLOW.read_text(encoding="utf-8")))

    assert verify(parsed, activities=None) == []
    assert definition.parse(definition.dump(parsed)) == parsed
    assert all(f"`{state}`" in README.read_text(encoding="utf-8") for state in parsed.machine.states)


def test_an_order_goes_its_way_to_the_customer(order: Order) -> None:
    order.send("order_created", *SENT, "order_delivered")

    assert order.row.state == "completed"
    assert order.row.output == {"order_id": "order-1", "state": "delivered", "attempts": 1, "reason": None}
    assert [text.split("order-1")[-1].strip() for text in order.world.mail] == ["", "is on its way", "has arrived"]
    assert order.shop.books().figures["shipments"] == 1


def test_a_parcel_that_nobody_asks_for_is_taken_to_have_arrived(order: Order) -> None:
    order.send(*SENT)

    order.wait(hours=14 * 24)

    assert (order.state, order.row.state) == ("delivered", "completed")


def test_a_cancelled_order_takes_back_everything_and_waits_for_the_refund(order: Order) -> None:
    order.send(*SENT, "order_cancelled")
    assert (order.state, order.row.state) == ("cancelled", "running")

    order.send("refund_processed")

    assert (order.state, order.row.state) == ("refunded", "completed")
    undone = [path for path, role in order.driver.calls if role == "compensation"]
    assert [path.partition("[")[0] for path in undone] == ["order_shipped", "inventory_allocated", "payment_completed"]
    assert order.shop.books().balanced
    assert order.world.mail[-1] == "Order order-1 is paid back"


def test_an_order_that_nobody_paid_for_is_cancelled_for_good(order: Order) -> None:
    order.send("order_validated", "order_cancelled")

    assert (order.state, order.row.state) == ("cancelled_unpaid", "completed")


def test_a_payment_is_tried_three_times_at_most(order: Order) -> None:
    order.send("order_validated", "payment_initiated")
    order.wait(hours=2)
    assert order.state == "payment_failed"
    with pytest.raises(OrchestratorError, match="attempts >= 3"):
        order.send("order_cancelled")

    order.send("retry_payment").send("payment_failed", data={"reason": "declined"})
    order.send("retry_payment", "payment_failed")

    assert order.row.variables["failure_reason"] == "unknown"
    with pytest.raises(OrchestratorError) as refused:
        order.send("retry_payment")
    assert refused.value.code == "CONDITION_NOT_MET"
    order.send("order_cancelled")
    assert order.row.output["attempts"] == 3


def test_a_charge_that_the_bank_declines_leaves_the_order_where_it_is(driver: Driver, shop: Customer) -> None:
    order = Order(driver, shop, card="declined")

    order.send(*PAID)

    assert (order.state, order.row.state) == ("payment_pending", "running")
    charge = Step.objects.get(instance=order.instance, path="payment_completed[2].request")
    assert (charge.state, charge.attempts, charge.error["details"]["status"]) == ("failed", 3, 402)
    order.send("payment_failed", data={"reason": "declined"})
    assert order.row.variables["failure_reason"] == "declined"
