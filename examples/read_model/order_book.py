"""An order book whose commands and queries are kept apart: ``python -m examples.read_model.order_book``.

Commands change the book and answer with the version that they made. Queries read a view that follows the book: it shows
a new version only once it has been asked for ``BEHIND`` times. Commands know their idempotency key: sent again, one
answers as it did at first and changes nothing.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field
from typing import Any

from examples.json_server import RefusalError, Request, run

PORT = 8096
BEHIND = 2


@dataclass
class OrderBook:
    """The book, the view that follows it, and what was answered to each key.

    Args:
        behind: how many queries are answered from before a command, after it.
    """

    behind: int = BEHIND
    book: dict[str, dict[str, Any]] = field(default_factory=dict)
    view: dict[str, dict[str, Any]] = field(default_factory=dict)
    answered: dict[str, Any] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: Request) -> Any:
        """Answer one call: ``POST /orders``, ``POST /orders/ORDER/withdrawal`` or ``GET /views/ORDER``."""
        with self.lock:
            match (request.method, *request.path):
                case ("POST", "orders"):
                    return self._once(request, self._place)
                case ("POST", "orders", order, "withdrawal"):
                    return self._once(request, lambda _: self._change(order, "withdrawn"))
                case ("GET", "views", order):
                    return self._seen(order)
        raise RefusalError(404, "NOT_FOUND", "There are /orders, /orders/ORDER/withdrawal and /views/ORDER.")

    def _once(self, request: Request, command: Any) -> Any:
        if not request.key:
            raise RefusalError(400, "KEY_MISSING", "A command needs an idempotency key.")
        if request.key not in self.answered:
            self.answered[request.key] = command(request)
        return self.answered[request.key]

    def _place(self, request: Request) -> Any:
        order = request.body.get("order") if isinstance(request.body, dict) else None
        if not isinstance(order, str) or not order:
            raise RefusalError(400, "BODY_INVALID", "The body needs order, a text.")
        return self._change(order, "placed")

    def _change(self, order: str, state: str) -> Any:
        version = self.book.get(order, {"version": 0})["version"] + 1
        self.book[order] = {"order": order, "state": state, "version": version}
        self.waiting[order] = self.behind
        return {"order": order, "version": version}

    def _seen(self, order: str) -> Any:
        if self.waiting.get(order, 0) > 0:
            self.waiting[order] -= 1
        elif order in self.book:
            self.view[order] = self.book[order]
        if order not in self.view:
            raise RefusalError(404, "NOT_FOUND", f"The view knows no order {order}.")
        return self.view[order]


if __name__ == "__main__":
    sys.exit(
        run(
            OrderBook().answer,
            name="examples.read_model.order_book",
            description="An order book whose view follows its commands.",
            port=PORT,
        )
    )
