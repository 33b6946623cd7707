"""Make the two databases: ``python -m examples.data_processing.seed``.

The shop's ``orders.db`` holds a large day (240 orders, 8 of them faulty) and a small one (60, 3 of them faulty), the
same every time; the warehouse begins empty. What an earlier run left is removed.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from examples.file_root import file_root

FOLDER = "data_processing"
LARGE_DAY, SMALL_DAY = "2026-03-01", "2026-03-02"
ORDERS_OF = {LARGE_DAY: 240, SMALL_DAY: 60}

SHOP = """
CREATE TABLE orders (id INTEGER PRIMARY KEY, day TEXT NOT NULL, user_id TEXT, name TEXT, street TEXT, postal_code TEXT,
                     city TEXT, country TEXT, amount REAL, ordered_at TEXT);
"""
WAREHOUSE = """
CREATE TABLE orders (id BIGINT PRIMARY KEY, user_id TEXT NOT NULL, name TEXT NOT NULL, ordered_at TEXT NOT NULL,
                     address TEXT NOT NULL, amount DOUBLE PRECISION NOT NULL, segment TEXT, rating INTEGER);
CREATE TABLE rejected_orders (run TEXT NOT NULL, id BIGINT NOT NULL, problems JSON NOT NULL, record JSON NOT NULL);
"""

NAMES = ("Ada Berg", "Björn Costa", "Chiara Dubois", "Emre Fischer", "Fatou Haas", "Inés Ito", "Kofi Jansen")
PLACES = (
    ("Mill Lane", "EH1 1YZ", "Edinburgh", "GB"),
    ("Hauptstraße", "10115", "Berlin", "DE"),
    ("Rue des Lilas", "75011", "Paris", "FR"),
    ("Calle Mayor", "28013", "Madrid", "ES"),
    (None, "00184", "Roma", "IT"),  # no street: left out of the address
)
# By the number within its day: what is wrong with an order.
FAULTS: dict[int, dict[str, Any]] = {
    7: {"user_id": ""},
    19: {"user_id": None, "amount": -3.0},
    42: {"ordered_at": "yesterday"},
    77: {"ordered_at": None},
    101: {"amount": 1_000_000.01},
    150: {"amount": -0.01},
    151: {"amount": None},
    200: {"user_id": "  "},
}


def orders(day: str) -> list[dict[str, Any]]:
    """The orders of a day as the shop has them, faulty ones included."""
    first = 1_000 * (1 + list(ORDERS_OF).index(day))
    return [_order(first + number, number, day) for number in range(ORDERS_OF[day])]


def _order(identity: int, number: int, day: str) -> dict[str, Any]:
    street, postal_code, city, country = PLACES[number % len(PLACES)]
    zone = ("Z", "+01:00")[number % 2]
    sound = {
        "id": identity,
        "day": day,
        "user_id": f"u{number % 90:03}",
        "name": NAMES[number % len(NAMES)],
        "street": street and f"{street} {1 + number % 40}",
        "postal_code": postal_code,
        "city": city,
        "country": country,
        "amount": round(4.5 + number * 37 % 400 * 1.25, 2) if number else 0.0,
        "ordered_at": f"{day}T{1 + number % 22:02}:{number * 7 % 60:02}:00{zone}",
    }
    return sound | FAULTS.get(number, {})


def seed(root: Path) -> Path:
    """Make both databases anew below ``root``; returns their folder."""
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    rows = [order for day in ORDERS_OF for order in orders(day)]
    for name, tables in {"orders.db": SHOP, "warehouse.db": WAREHOUSE}.items():
        (folder / name).unlink(missing_ok=True)
        with closing(sqlite3.connect(folder / name)) as database, database:
            database.executescript(tables)
    with closing(sqlite3.connect(folder / "orders.db")) as shop, shop:
        names = list(rows[0])
        shop.executemany(
            f"INSERT INTO orders ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)})",  # noqa: S608 - our own names
            rows,
        )
    return folder


if __name__ == "__main__":
    print(f"seeded {seed(file_root())}")
    sys.exit(0)
