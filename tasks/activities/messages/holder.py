"""Who holds what was taken from Redis: a step, under a name that all its attempts share."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from workflows_app.activities import ActivityContext

HOLD_SECONDS = 120.0
"""How long messages stay with a step that nobody hears of, before the next receiver gets them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """One attempt's hold.

    Args:
        step: names the step in Redis.
        attempt: which attempt; a later one takes the hold over.
    """

    step: str
    attempt: str


def of(context: ActivityContext) -> Holder:
    """The hold of an attempt. An idempotency key of one's own may serve two steps; their messages stay apart."""
    name = "\n".join((context.instance_id, context.step, context.role, context.idempotency_key))
    return Holder(step=hashlib.sha256(name.encode()).hexdigest()[:32], attempt=str(context.attempt))
