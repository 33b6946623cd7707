"""Validation: does the shop sell this, and for that price?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from examples.order_processing.shop.refusal import Refusal


def merged(lines: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Units per product in the order of their names, which is also the order in which stock is locked.

    >>> merged([{"sku": "b", "quantity": 1}, {"sku": "a", "quantity": 2}, {"sku": "b", "quantity": 3}])
    {'a': 2, 'b': 4}
    """
    units: Counter[str] = Counter()
    for line in lines:
        units[line["sku"]] += line["quantity"]
    return dict(sorted(units.items()))


def validate(cursor: Any, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Price an order; changes nothing.

    Raises:
        Refusal: 422 for a product that is not sold or an amount that is not the price.
    """
    order = body["order"]
    units = merged(order["lines"])
    cursor.execute("SELECT sku, price_cents FROM shop.products WHERE sku = ANY(%s)", (list(units),))
    prices = dict(cursor.fetchall())
    unknown = sorted(set(units) - set(prices))
    if unknown:
        raise Refusal(422, "PRODUCT_UNKNOWN", f"The shop does not sell {', '.join(unknown)}.")
    total = sum(prices[sku] * quantity for sku, quantity in units.items())
    if total != order["amount_cents"]:
        raise Refusal(422, "AMOUNT_WRONG", f"The order says {order['amount_cents']} cents, the price is {total}.")
    return {
        "order_id": order["order_id"],
        "total_cents": total,
        "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in units.items()],
    }
