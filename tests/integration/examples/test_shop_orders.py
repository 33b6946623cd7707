"""All sample orders through the shop by hand, every call made twice: the books balance and the endings are as told."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from examples.order_processing import orders


class Saga:
    """What the workflow does with one order: up to four attempts a step, undo in reverse, every call twice."""

    def __init__(self, shop: Any, order: dict[str, Any]) -> None:
        self.shop = shop
        self.order = order
        self.id = order["order_id"]
        self.undo: list[tuple[str, str, dict[str, Any]]] = []

    def call(self, path: str, idempotency_key: str, /, **body: Any) -> dict[str, Any] | None:
        for _ in range(4):
            self.shop.post(path, idempotency_key, **body)
            answer = self.shop.post(path, idempotency_key, **body)
            if answer.status_code == 200:
                return answer.json()
            if answer.status_code < 500:
                break
        return None

    def run(self) -> str:
        if self.go():
            return "completed"
        for path, key, body in reversed(self.undo):
            assert self.call(path, f"{key}:undo", **body, key=key) is not None
        return "compensated" if self.undo else "failed"

    def go(self) -> bool:
        order, trouble = self.order, self.order.get("trouble")
        priced = self.call("/orders/validate", f"{self.id}:validate", order=order)
        if priced is None:
            return False
        charge = {"order_id": self.id, "amount_cents": priced["total_cents"], "card": order["card"]}
        payment = self.call("/payments", f"{self.id}:pay", **charge, trouble=trouble)
        if trouble == "late_payment_always":  # every answer came too late
            self.undo.append(("/payments/refund", f"{self.id}:pay", {"payment": None}))
            return False
        if payment is None:
            return False
        self.undo.append(("/payments/refund", f"{self.id}:pay", {"payment": payment["id"]}))
        wanted = {"order_id": self.id, "lines": priced["lines"], "trouble": trouble}
        reservation = self.call("/stock/reserve", f"{self.id}:reserve", **wanted)
        if reservation is None:
            return False
        self.undo.append(("/stock/release", f"{self.id}:reserve", {"reservation": reservation["id"]}))
        parcel = {"order_id": self.id, "reservation": reservation["id"], "service": "standard"}
        shipment = self.call("/shipments", f"{self.id}:ship", **parcel, address=order["address"], trouble=trouble)
        if shipment is None:
            return False
        self.undo.append(("/shipments/cancel", f"{self.id}:ship", {"shipment": shipment["id"]}))
        sent = {"order_id": self.id, "shipment": shipment["id"]}
        return self.call("/confirmations", f"{self.id}:confirm", **sent) is not None


def test_the_books_balance_after_all_sample_orders(shop):
    shop.waiting_ends.set()
    batch = orders.load()

    with ThreadPoolExecutor(8) as pool:
        endings = list(pool.map(lambda order: Saga(shop, order).run(), batch))

    assert endings == [orders.expected_state(order) for order in batch]
    books = shop.books()
    assert books.balanced
    assert books.figures["shipments"] == books.figures["confirmations"] == Counter(endings)["completed"]
    assert books.figures["units_reserved"] == 0
