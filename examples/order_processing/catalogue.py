"""What the shop sells: the same list seeds its tables and prices the sample orders."""

from __future__ import annotations

from typing import NamedTuple


class Product(NamedTuple):
    """One product: price in cents, ``units`` on hand when the shop opens."""

    sku: str
    name: str
    price_cents: int
    units: int


PRODUCTS = (
    Product("mug-blue", "Blue mug", 1290, 100_000),
    Product("mug-red", "Red mug", 1290, 100_000),
    Product("teapot", "Teapot, one litre", 3900, 100_000),
    Product("tea-assam", "Assam tea, 250 g", 840, 100_000),
    Product("tea-sencha", "Sencha tea, 100 g", 1120, 100_000),
    Product("honey", "Heather honey", 760, 100_000),
    Product("cup-set", "Six cups", 5400, 100_000),
    Product("kettle", "Electric kettle", 4650, 100_000),
    Product("lamp-brass", "Brass lamp", 11900, 0),
)

SOLD_OUT = "lamp-brass"
IN_STOCK = tuple(product for product in PRODUCTS if product.units)
PRICES = {product.sku: product.price_cents for product in PRODUCTS}
