"""Scripted troubles: an order says itself what is to go wrong with it.

``flaky_payment``, ``flaky_stock``, ``flaky_shipment``: the service answers 503 twice and then works.
``late_payment``: the payment is taken, its answer comes too late; a repeat with the same key is answered at once.
``late_payment_always``: the payment is taken and every answer comes too late.
"""

from __future__ import annotations

from typing import Any

from examples.order_processing.shop.refusal import Refusal

TROUBLES = ("flaky_payment", "flaky_stock", "flaky_shipment", "late_payment", "late_payment_always")
FAILURES = 2


def refuse_at_first(cursor: Any, *, trouble: str | None, service: str, key: str) -> Refusal | None:
    """The 503 to answer while ``service`` still fails for this key; nothing else is stored about such a call."""
    if trouble != f"flaky_{service}":
        return None
    cursor.execute(
        "INSERT INTO shop.troubles (key, calls) VALUES (%s, 1)"
        " ON CONFLICT (key) DO UPDATE SET calls = shop.troubles.calls + 1 RETURNING calls",
        (key,),
    )
    calls = cursor.fetchone()[0]
    if calls > FAILURES:
        return None
    return Refusal(503, "UNAVAILABLE", f"The {service} service is down ({calls} of {FAILURES}).")


def answers_late(*, trouble: str | None, service: str, replayed: bool) -> bool:
    """Whether the answer is to come only after the caller has stopped waiting.

    >>> answers_late(trouble="late_payment", service="payment", replayed=False)
    True
    >>> answers_late(trouble="late_payment", service="payment", replayed=True)
    False
    >>> answers_late(trouble="late_payment_always", service="payment", replayed=True)
    True
    """
    if service != "payment":
        return False
    return trouble == "late_payment_always" or (trouble == "late_payment" and not replayed)
