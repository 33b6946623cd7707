"""How an instance ended, for comparison with another one of the same definition."""

from __future__ import annotations

import json
from typing import Any

from tests.faults.invariants import SETTLED
from tests.faults.undos import UNDONE
from tests.services.product import Product


def ending(product: Product, instance: str) -> dict[str, Any]:
    """Everything that a fault must not change: how it ended, and each recorded outcome in a fixed order."""
    view = product.show(instance)
    outcomes = [
        (event["step"], event["type"], event["data"].get("output"))
        for event in product.history(instance)
        if event["type"] in SETTLED | UNDONE
    ]
    kept = {name: view[name] for name in ("state", "cause", "output", "error", "steps")}
    # Idempotency keys, which the test's activities return, name their instance.
    found: dict[str, Any] = json.loads(json.dumps(kept | {"outcomes": sorted(outcomes)}).replace(instance, "INSTANCE"))
    return found


def losses(product: Product, instance: str) -> list[str]:
    """The steps whose attempts were lost with their worker, in order."""
    return [event["step"] for event in product.history(instance) if event["type"] == "attempt.lost"]
