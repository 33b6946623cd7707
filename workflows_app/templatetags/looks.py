"""Looks: one icon and one tone for every state of the tables; colour never says what the word does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.utils.safestring import SafeString


@dataclass(frozen=True, slots=True)
class Look:
    """A tone (a class of the style sheet) and an icon (SVG, 16 × 16)."""

    tone: str
    icon: SafeString


CHECK: Final = SafeString('<path d="M3 8.6l3.2 3.2L13 4.8"/>')
CROSS: Final = SafeString('<path d="M4 4l8 8M12 4l-8 8"/>')
CIRCLE: Final = SafeString('<circle cx="8" cy="8" r="5"/>')
CLOCK: Final = SafeString('<circle cx="8" cy="8" r="6"/><path d="M8 4.6V8l2.4 1.8"/>')
PLAY: Final = SafeString('<path class="solid" d="M5 3.2v9.6L12.5 8z"/>')
PAUSE: Final = SafeString('<path d="M5.5 4v8M10.5 4v8"/>')
QUEUE: Final = SafeString('<path d="M3 4.5h10M3 8h10M3 11.5h6"/>')
AGAIN: Final = SafeString('<path d="M13 8a5 5 0 1 1-1.6-3.7M13 2v3.2H9.8"/>')
BACK: Final = SafeString('<path d="M6 2.5L2.8 5.7 6 8.9M2.8 5.7h6.4a3.6 3.6 0 0 1 0 7.3H6"/>')
BARRED: Final = SafeString('<circle cx="8" cy="8" r="5.6"/><path d="M4.2 11.8l7.6-7.6"/>')
SQUARE: Final = SafeString('<rect class="solid" x="4" y="4" width="8" height="8" rx="1"/>')
SKIP: Final = SafeString('<path d="M3 4l4.5 4L3 12M8.5 4L13 8l-4.5 4"/>')
ALERT: Final = SafeString('<path d="M8 2.4l6.2 11H1.8zM8 6.6v3M8 11.4v.4"/>')

LOOKS: Final = {
    "pending": Look("off", CIRCLE),
    "scheduled": Look("wait", QUEUE),
    "waiting": Look("wait", CLOCK),
    "running": Look("run", PLAY),
    "retrying": Look("warn", AGAIN),
    "paused": Look("warn", PAUSE),
    "compensating": Look("undo", BACK),
    "completed": Look("ok", CHECK),
    "succeeded": Look("ok", CHECK),
    "planned": Look("wait", CLOCK),
    "confirmed": Look("ok", CHECK),
    "refused": Look("off", BARRED),
    "unknown": Look("warn", ALERT),
    "failed": Look("bad", CROSS),
    "timed_out": Look("bad", CLOCK),
    "lost": Look("bad", ALERT),
    "skipped": Look("off", SKIP),
    "cancelled": Look("off", BARRED),
    "terminated": Look("off", SQUARE),
    "compensated": Look("undo", BACK),
    "compensation_failed": Look("bad", ALERT),
}


def look_of(state: str) -> Look:
    """Return a state's look; one that this table does not know looks plain."""
    return LOOKS.get(state, Look("off", CIRCLE))
