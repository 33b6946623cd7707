"""Stock: put units aside for an order, and put them back on the shelf."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg2.extras import execute_values

from examples.order_processing.shop import idempotency, pricing
from examples.order_processing.shop.refusal import Refusal


def reserve(cursor: Any, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Put every line of an order aside, or nothing.

    Raises:
        Refusal: 409 for an empty shelf or an order that has its units, 422 for an unknown product.
    """
    units = pricing.merged(body["lines"])
    # Rows are locked in the order of their names wherever stock changes, so that two orders cannot wait in a circle.
    cursor.execute("SELECT sku, on_hand FROM shop.stock WHERE sku = ANY(%s) ORDER BY sku FOR UPDATE", (list(units),))
    on_hand = dict(cursor.fetchall())
    for sku, quantity in units.items():
        if sku not in on_hand:
            raise Refusal(422, "PRODUCT_UNKNOWN", f"The shop does not sell {sku}.")
        if on_hand[sku] < quantity:
            raise Refusal(409, "OUT_OF_STOCK", f"{quantity} of {sku} wanted, {on_hand[sku]} on hand.")
    cursor.execute(
        "INSERT INTO shop.reservations (order_id, key) VALUES (%s, %s)"
        " ON CONFLICT (order_id) WHERE state <> 'released' DO NOTHING RETURNING id",
        (body["order_id"], key),
    )
    row = cursor.fetchone()
    if row is None:
        raise Refusal(409, "ALREADY_RESERVED", f"Order {body['order_id']} has its units.")
    execute_values(
        cursor,
        "INSERT INTO shop.reservation_lines (reservation_id, sku, quantity) VALUES %s",
        [(row[0], sku, quantity) for sku, quantity in units.items()],
    )
    move(cursor, row[0], source="on_hand", target="reserved")
    idempotency.record(cursor, key=key, kind="reserved", order_id=body["order_id"], subject=row[0])
    return {"id": row[0], "order_id": body["order_id"], "units": sum(units.values())}


def release(cursor: Any, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Put reserved units back: named by the reservation's id, else by the key of the request that made it.

    Raises:
        Refusal: 404 for an unknown id, 409 while the units are on their way to the customer.
    """
    select = "SELECT id, order_id, state FROM shop.reservations WHERE "
    if body.get("reservation") is not None:
        cursor.execute(select + "id = %s FOR UPDATE", (body["reservation"],))
    else:
        idempotency.void(cursor, key=body["key"], path="/stock/reserve")
        cursor.execute(select + "key = %s FOR UPDATE", (body["key"],))
    row = cursor.fetchone()
    if row is None:
        if body.get("reservation") is not None:
            raise Refusal(404, "RESERVATION_UNKNOWN", f"There is no reservation {body['reservation']}.")
        return {"released": False, "reservation": None, "reason": "nothing was reserved"}
    reservation_id, order_id, state = row
    if state == "released":
        return {"released": False, "reservation": reservation_id, "reason": "released before"}
    if state == "shipped":
        raise Refusal(409, "SHIPPED", f"The units of reservation {reservation_id} are shipped.")
    cursor.execute("UPDATE shop.reservations SET state = 'released' WHERE id = %s", (reservation_id,))
    move(cursor, reservation_id, source="reserved", target="on_hand")
    idempotency.record(cursor, key=key, kind="released", order_id=order_id, subject=reservation_id)
    return {"released": True, "reservation": reservation_id}


def move(cursor: Any, reservation_id: str, *, source: str, target: str) -> None:
    """Move a reservation's units between the columns ``on_hand``, ``reserved`` and ``shipped`` of the stock."""
    assert {source, target} <= {"on_hand", "reserved", "shipped"}
    cursor.execute(
        "SELECT FROM shop.stock WHERE sku IN (SELECT sku FROM shop.reservation_lines WHERE reservation_id = %s)"
        " ORDER BY sku FOR UPDATE",
        (reservation_id,),
    )
    cursor.execute(
        f"UPDATE shop.stock SET {source} = {source} - quantity, {target} = {target} + quantity"  # noqa: S608
        " FROM shop.reservation_lines AS line WHERE line.sku = stock.sku AND line.reservation_id = %s",
        (reservation_id,),
    )
