"""Write ``orders.jsonl``: 200 varied orders, the same bytes every time.

Every choice is taken from a SHA-256 of the order's number and what is chosen, not from a random generator, so the
file depends on nothing but this module and the catalogue. Run it with
``python -m examples.order_processing.make_orders``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, TypeVar

from examples.order_processing import catalogue
from examples.order_processing.orders import FILE
from examples.order_processing.shop.parcels import UNREACHABLE
from examples.order_processing.shop.payments import DECLINED

T = TypeVar("T")

# What is to go wrong, and how often; the rest of the orders are good.
MISHAPS = {
    "declined_card": 12,
    "empty_stock": 12,
    "bad_address": 12,
    "flaky_payment": 4,
    "flaky_stock": 4,
    "flaky_shipment": 4,
    "late_payment": 6,
    "late_payment_always": 4,
    "unknown_product": 2,
}
COUNT = 200

FIRST_NAMES = ("Ada", "Björn", "Chiara", "Dilan", "Emre", "Fatou", "Grace", "Hiroshi", "Inés", "Jan", "Kofi", "Léa")
LAST_NAMES = ("Adeyemi", "Berg", "Costa", "Dubois", "Eriksen", "Fischer", "García", "Haas", "Ito", "Jansen", "Kaya")
STREETS = ("Mill Lane", "Hauptstraße", "Rue des Lilas", "Via Roma", "Calle Mayor", "Harbour Road")
PLACES = (
    ("10115", "Berlin", "DE"),
    ("20095", "Hamburg", "DE"),
    ("75011", "Paris", "FR"),
    ("00184", "Roma", "IT"),
    ("28013", "Madrid", "ES"),
    ("1012", "Amsterdam", "NL"),
    ("EH1 1YZ", "Edinburgh", "GB"),
)


def _draw(number: int, what: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{number} {what}".encode()).digest()[:8], "big")


def _pick(number: int, what: str, options: Sequence[T]) -> T:
    return options[_draw(number, what) % len(options)]


def mishaps() -> dict[int, str]:
    """Which order meets which mishap, spread over the file."""
    numbers = sorted(range(1, COUNT + 1), key=lambda number: _draw(number, "mishap"))
    kinds = [kind for kind, count in MISHAPS.items() for _ in range(count)]
    return dict(zip(numbers, kinds, strict=False))


def order(number: int, mishap: str | None) -> dict[str, Any]:
    """One order; ``number`` counts from 1."""
    first, last = _pick(number, "first name", FIRST_NAMES), _pick(number, "last name", LAST_NAMES)
    postal_code, city, country = _pick(number, "place", PLACES)
    lines: list[dict[str, Any]] = []
    for position in range(1 + _draw(number, "lines") % 3):
        product = _pick(number, f"product {position}", catalogue.IN_STOCK)
        if product.sku not in {line["sku"] for line in lines}:
            lines.append({"sku": product.sku, "quantity": 1 + _draw(number, f"quantity {position}") % 4})
    card = f"card-{_draw(number, 'card') % 10_000:04}"
    if mishap == "declined_card":
        card = DECLINED
    elif mishap == "empty_stock":
        lines[-1] = {"sku": catalogue.SOLD_OUT, "quantity": 1}
    elif mishap == "unknown_product":
        lines[-1] = {"sku": "mug-transparent", "quantity": 1}
    elif mishap == "bad_address":
        postal_code, city = "00000", UNREACHABLE
    made: dict[str, Any] = {
        "order_id": f"ORD-{number:04}",
        "customer": {"name": f"{first} {last}", "email": f"customer{number:04}@example.com"},
        "lines": lines,
        "amount_cents": sum(catalogue.PRICES.get(line["sku"], 1000) * line["quantity"] for line in lines),
        "card": card,
        "address": {
            "name": f"{first} {last}",
            "street": f"{_pick(number, 'street', STREETS)} {1 + _draw(number, 'house') % 120}",
            "postal_code": postal_code,
            "city": city,
            "country": country,
        },
        "express": _draw(number, "express") % 4 == 0,
        "gift": _draw(number, "gift") % 8 == 0,
    }
    if mishap is not None and mishap.startswith(("flaky_", "late_")):
        made["trouble"] = mishap
    return made


def text() -> str:
    """The whole file."""
    planned = mishaps()
    orders = (order(number, planned.get(number)) for number in range(1, COUNT + 1))
    return "".join(json.dumps(made, ensure_ascii=False) + "\n" for made in orders)


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
    print(f"{COUNT} orders written to {FILE}")
