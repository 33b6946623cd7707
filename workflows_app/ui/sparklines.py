"""Sparklines: a figure over the last hours as one small line, reckoned here, so that a template only writes it down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 120, 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparkline:
    """Pieces of a line in WIDTH × HEIGHT, each as the points of a polyline; ``top`` is what the whole height means."""

    pieces: tuple[str, ...]
    top: float
    highest: float
    width: int = WIDTH
    height: int = HEIGHT


def sparkline(values: Sequence[float | None], *, top: float | None = None) -> Sparkline | None:
    """Return the line of a figure; where nobody said anything there is a gap; ``None`` where nobody ever did.

    Args:
        values: the oldest first.
        top: what the whole height stands for; the highest value if that is more, or nothing is given.

    >>> line = sparkline([0, 50, None, 100], top=100)
    >>> line.pieces, line.top
    (('0.0,25.0 40.0,13.0', '120.0,1.0 120.0,1.0'), 100)
    >>> sparkline([None, None]) is None
    True
    """
    known = [value for value in values if value is not None]
    if not known:
        return None
    highest = max(known)
    full = max(highest, top or 0) or 1
    step = WIDTH / max(1, len(values) - 1)
    pieces: list[list[str]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            pieces.append([])
        else:
            # A pixel at either edge: half of the line's width would be cut off.
            pieces[-1].append(f"{index * step:.1f},{HEIGHT - 1 - value / full * (HEIGHT - 2):.1f}")
    drawn = (piece * 2 if len(piece) == 1 else piece for piece in pieces if piece)
    return Sparkline(pieces=tuple(" ".join(piece) for piece in drawn), top=full, highest=highest)
