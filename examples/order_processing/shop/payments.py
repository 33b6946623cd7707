"""Payments: charge a card, and give the money back, also when the charge's answer never arrived."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from examples.order_processing.shop import idempotency
from examples.order_processing.shop.refusal import Refusal

DECLINED = "declined"


def charge(cursor: Any, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Take the money for an order.

    Raises:
        Refusal: 402 for a declined card, 409 for an order that is paid.
    """
    if body["card"] == DECLINED:
        raise Refusal(402, "CARD_DECLINED", "The bank declined the card.")
    cursor.execute(
        "INSERT INTO shop.payments (order_id, key, amount_cents) VALUES (%s, %s, %s)"
        " ON CONFLICT (order_id) WHERE refunded_at IS NULL DO NOTHING RETURNING id",
        (body["order_id"], key, body["amount_cents"]),
    )
    row = cursor.fetchone()
    if row is None:
        raise Refusal(409, "ALREADY_PAID", f"Order {body['order_id']} is paid.")
    idempotency.record(cursor, key=key, kind="charged", order_id=body["order_id"], subject=row[0])
    return {"id": row[0], "order_id": body["order_id"], "amount_cents": body["amount_cents"]}


def refund(cursor: Any, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Give a payment back: named by its id, else by the key of the charge, else by the order.

    Refunding nothing is an answer, not a fault: ``{"refunded": false}`` and the reason.

    Raises:
        Refusal: 404 for a payment id that does not exist.
    """
    payment = _find(cursor, body)
    if payment is None:
        return {"refunded": False, "payment": None, "reason": "nothing was paid"}
    payment_id, order_id, amount, is_refunded = payment
    if is_refunded:
        return {"refunded": False, "payment": payment_id, "reason": "refunded before"}
    cursor.execute("UPDATE shop.payments SET refunded_at = now() WHERE id = %s", (payment_id,))
    idempotency.record(cursor, key=key, kind="refunded", order_id=order_id, subject=payment_id)
    return {"refunded": True, "payment": payment_id, "amount_cents": amount}


def _find(cursor: Any, body: Mapping[str, Any]) -> tuple[Any, ...] | None:
    select = "SELECT id, order_id, amount_cents, refunded_at IS NOT NULL FROM shop.payments WHERE "
    if body.get("payment") is not None:
        cursor.execute(select + "id = %s FOR UPDATE", (body["payment"],))
        row = cursor.fetchone()
        if row is None:
            raise Refusal(404, "PAYMENT_UNKNOWN", f"There is no payment {body['payment']}.")
        return row
    if body.get("key") is not None:
        idempotency.void(cursor, key=body["key"], path="/payments")
        cursor.execute(select + "key = %s FOR UPDATE", (body["key"],))
    else:
        cursor.execute(select + "order_id = %s AND refunded_at IS NULL FOR UPDATE", (body["order_id"],))
    return cursor.fetchone()
