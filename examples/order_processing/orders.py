"""The sample orders: how to read them, and how the workflow of each must end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from examples.order_processing import catalogue
from examples.order_processing.shop.parcels import UNREACHABLE
from examples.order_processing.shop.payments import DECLINED

FILE = Path(__file__).with_name("orders.jsonl")


def load(path: Path = FILE, *, run: str | None = None) -> list[dict[str, Any]]:
    """The orders of a file with one JSON object a line.

    Args:
        run: a label that is added to every order's id, so that the same file can be fed to one shop again; a shop
            takes no second payment for a paid order.
    """
    orders = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if run is not None:
        for order in orders:
            order["order_id"] = f"{order['order_id']}-{run}"
    return orders


def expected_state(order: Mapping[str, Any]) -> str:
    """The state in which the instance of a sample order ends: ``completed``, ``compensated`` or ``failed``.

    ``failed`` where nothing had been done yet, ``compensated`` where a payment or a reservation was undone.
    """
    skus = {line["sku"] for line in order["lines"]}
    if not skus <= set(catalogue.PRICES) or order["card"] == DECLINED:
        return "failed"
    if catalogue.SOLD_OUT in skus or order["address"]["city"] == UNREACHABLE:
        return "compensated"
    if order.get("trouble") == "late_payment_always":
        return "compensated"
    return "completed"
