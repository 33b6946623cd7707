"""The service that knows customers: ``python -m examples.data_processing.profiles``.

``POST /profiles {"user_ids": [...]}`` answers ``{"profiles": [{customer, segment, rating}]}``, each customer once.
Whose number ends in 9 is known to nobody.
"""

from __future__ import annotations

import sys
from typing import Any

from examples.json_server import RefusalError, Request, run

PORT = 8091
SEGMENTS = ("new", "regular", "business", "premium")


def profile(customer: str) -> dict[str, Any] | None:
    """What is known of a customer, ``None`` if nothing is."""
    number = sum(map(ord, customer))
    if customer.endswith("9"):
        return None
    return {"customer": customer, "segment": SEGMENTS[number % len(SEGMENTS)], "rating": 1 + number % 5}


def answer(request: Request) -> Any:
    """Answer one call."""
    if request.path != ("profiles",):
        raise RefusalError(404, "NOT_FOUND", "There is nothing here but /profiles.")
    if request.method != "POST":
        raise RefusalError(405, "METHOD_NOT_ALLOWED", "/profiles takes a POST.")
    wanted = request.body.get("user_ids") if isinstance(request.body, dict) else None
    if not isinstance(wanted, list) or not all(isinstance(customer, str) for customer in wanted):
        raise RefusalError(400, "BODY_INVALID", "The body needs user_ids, a list of texts.")
    found = (profile(customer) for customer in dict.fromkeys(wanted))
    return {"profiles": [each for each in found if each]}


if __name__ == "__main__":
    sys.exit(
        run(answer, name="examples.data_processing.profiles", description="A service that knows customers.", port=PORT)
    )
