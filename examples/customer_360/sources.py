"""The sources that know customers, in one service: ``python -m examples.customer_360.sources``.

``GET /SOURCE/CUSTOMER`` answers what a source knows, 404 for a customer whom nobody knows. ``POST /troubles``
``{"source": …, "trouble": "slow" | "broken" | null}`` says how a source behaves from now on, ``GET /troubles`` how all
do. A slow one answers after ten seconds, a broken one with 503.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from examples.json_server import RefusalError, Request, run

PORT = 8092
SLOW_SECONDS = 10.0
CUSTOMERS = 100
TROUBLES = ("slow", "broken")


def _profile(number: int) -> Any:
    return {"name": f"Customer {number}", "email": f"customer{number}@example.com", "since": 2015 + number % 10}


def _contracts(number: int) -> Any:
    return [{"contract": f"K-{number}-{each}", "monthly": 9.5 * each} for each in range(1, 2 + number % 3)]


def _orders(number: int) -> Any:
    return [{"order": f"A-{number}-{each}", "amount": 12.5 + each} for each in range(number % 4)]


def _tickets(number: int) -> Any:
    return {"open": number % 3, "last": None if number % 3 == 0 else f"T-{number}"}


def _loyalty(number: int) -> Any:
    return {"level": ("bronze", "silver", "gold")[number % 3], "points": number * 10}


def _rating(agency: str) -> Callable[[int], Any]:
    return lambda number: {"agency": agency, "rating": "ABC"[number % 3]}


SOURCES: dict[str, Callable[[int], Any]] = {
    "profile": _profile,
    "contracts": _contracts,
    "orders": _orders,
    "tickets": _tickets,
    "loyalty": _loyalty,
    "rating_north": _rating("north"),
    "rating_south": _rating("south"),
}


class Sources:
    """All sources with their troubles.

    Args:
        hold: waits so many seconds; it is how a slow source is slow.
    """

    def __init__(self, *, hold: Callable[[float], Any] | None = None) -> None:
        self._hold = hold or threading.Event().wait
        self.troubles: dict[str, str] = {}
        self.asked: Counter[str] = Counter()

    def __call__(self, request: Request) -> Any:
        """Answer one call."""
        match request.method, request.path:
            case "GET", ("troubles",):
                return {source: self.troubles.get(source) for source in SOURCES}
            case "POST", ("troubles",):
                return self._trouble(request.body)
            case "GET", (source, customer) if source in SOURCES:
                return self._tell(source, customer)
        raise RefusalError(404, "NOT_FOUND", f"There is GET /SOURCE/CUSTOMER, of {', '.join(SOURCES)}, and /troubles.")

    def _trouble(self, body: Any) -> Any:
        source, trouble = (body.get("source"), body.get("trouble")) if isinstance(body, dict) else (None, None)
        if source not in tuple(SOURCES) or trouble not in (*TROUBLES, None):
            raise RefusalError(400, "BODY_INVALID", "The body needs a source, and a trouble: slow, broken or null.")
        if trouble is None:
            self.troubles.pop(source, None)
        else:
            self.troubles[source] = trouble
        return {"source": source, "trouble": trouble}

    def _tell(self, source: str, customer: str) -> Any:
        self.asked[source] += 1
        trouble = self.troubles.get(source)
        if trouble == "broken":
            raise RefusalError(503, "UNAVAILABLE", f"The source {source} is broken.")
        if trouble == "slow":
            self._hold(SLOW_SECONDS)
        number = customer.removeprefix("C-")
        if not (number.isascii() and number.isdigit() and 1 <= int(number) <= CUSTOMERS):
            raise RefusalError(404, "CUSTOMER_UNKNOWN", f"Nobody knows {customer}.")
        return SOURCES[source](int(number))


if __name__ == "__main__":
    sys.exit(
        run(Sources(), name="examples.customer_360.sources", description="Sources that know customers.", port=PORT)
    )
