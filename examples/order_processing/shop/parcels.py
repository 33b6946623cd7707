"""Parcels: hand reserved units to the carrier, call them back, and confirm the order to the customer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg2.extras import Json

from examples.order_processing.shop import idempotency, stock
from examples.order_processing.shop.refusal import Refusal

UNREACHABLE = "Nowhere"


def ship(cursor: Any, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Send the reserved units to the customer.

    Raises:
        Refusal: 422 for an address that the carrier does not reach, 404 for an unknown reservation, 409 for
            units that are not reserved any more.
    """
    if body["address"]["city"] == UNREACHABLE:
        raise Refusal(422, "ADDRESS_UNREACHABLE", f"The carrier does not deliver to {UNREACHABLE}.")
    cursor.execute(
        "SELECT state FROM shop.reservations WHERE id = %s AND order_id = %s FOR UPDATE",
        (body["reservation"], body["order_id"]),
    )
    row = cursor.fetchone()
    if row is None:
        raise Refusal(404, "RESERVATION_UNKNOWN", f"Order {body['order_id']} has no reservation {body['reservation']}.")
    if row[0] != "reserved":
        raise Refusal(409, "NOT_RESERVED", f"Reservation {body['reservation']} is {row[0]}.")
    cursor.execute(
        "INSERT INTO shop.shipments (order_id, key, reservation_id, service, wrapping, address)"
        " VALUES (%s, %s, %s, %s, %s, %s) RETURNING id",
        (body["order_id"], key, body["reservation"], body["service"], body.get("wrapping"), Json(body["address"])),
    )
    shipment_id = cursor.fetchone()[0]
    cursor.execute("UPDATE shop.reservations SET state = 'shipped' WHERE id = %s", (body["reservation"],))
    stock.move(cursor, body["reservation"], source="reserved", target="shipped")
    idempotency.record(cursor, key=key, kind="shipped", order_id=body["order_id"], subject=shipment_id)
    return {"id": shipment_id, "order_id": body["order_id"], "service": body["service"]}


def cancel(cursor: Any, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Call a parcel back, so that its units are reserved again: named by its id, else by the key of the shipment.

    Raises:
        Refusal: 404 for an unknown id.
    """
    select = "SELECT id, order_id, reservation_id, cancelled_at IS NOT NULL FROM shop.shipments WHERE "
    if body.get("shipment") is not None:
        cursor.execute(select + "id = %s FOR UPDATE", (body["shipment"],))
    else:
        idempotency.void(cursor, key=body["key"], path="/shipments")
        cursor.execute(select + "key = %s FOR UPDATE", (body["key"],))
    row = cursor.fetchone()
    if row is None:
        if body.get("shipment") is not None:
            raise Refusal(404, "SHIPMENT_UNKNOWN", f"There is no shipment {body['shipment']}.")
        return {"cancelled": False, "shipment": None, "reason": "nothing was shipped"}
    shipment_id, order_id, reservation_id, is_cancelled = row
    if is_cancelled:
        return {"cancelled": False, "shipment": shipment_id, "reason": "cancelled before"}
    cursor.execute("UPDATE shop.shipments SET cancelled_at = now() WHERE id = %s", (shipment_id,))
    cursor.execute("UPDATE shop.reservations SET state = 'reserved' WHERE id = %s", (reservation_id,))
    stock.move(cursor, reservation_id, source="shipped", target="reserved")
    idempotency.record(cursor, key=key, kind="cancelled", order_id=order_id, subject=shipment_id)
    return {"cancelled": True, "shipment": shipment_id}


def confirm(cursor: Any, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Tell the customer that the parcel is on its way.

    Raises:
        Refusal: 409 for a parcel of another order or one that was called back.
    """
    cursor.execute(
        "SELECT FROM shop.shipments WHERE id = %s AND order_id = %s AND cancelled_at IS NULL FOR SHARE",
        (body["shipment"], body["order_id"]),
    )
    if cursor.fetchone() is None:
        raise Refusal(409, "NOT_SHIPPED", f"Order {body['order_id']} has no parcel {body['shipment']} on its way.")
    cursor.execute(
        "INSERT INTO shop.confirmations (order_id, key, shipment_id) VALUES (%s, %s, %s) RETURNING id",
        (body["order_id"], key, body["shipment"]),
    )
    confirmation_id = cursor.fetchone()[0]
    idempotency.record(cursor, key=key, kind="confirmed", order_id=body["order_id"], subject=confirmation_id)
    return {"id": confirmation_id, "order_id": body["order_id"]}
