"""The ratios as a picture: one bar a row on a logarithmic scale, a mark where the target lies. Plain SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from tests.benchmarks.rows import PLAIN, Row

WIDTH: Final = 860
LABELS: Final = 330
HEIGHT: Final = 24
TOP: Final = 64
LOWEST, HIGHEST = 0.125, 16.0
TICKS: Final = (0.125, 0.25, 0.5, 1, 2, 4, 8, 16)
COLOURS: Final = {True: "#2f7d4f", False: "#b3362b", None: "#5a6b7b"}


def position(found: float) -> float:
    """Where a ratio lies, in pixels from the left.

    >>> position(0.125), position(16.0)
    (330.0, 800.0)
    """
    share = math.log(min(max(found, LOWEST), HIGHEST) / LOWEST) / math.log(HIGHEST / LOWEST)
    return round(LABELS + share * (WIDTH - 60 - LABELS), 1)


def svg(rows: Sequence[Row], title: str) -> str:
    """The picture of every row that has a ratio to plain Celery; of latencies the inverse, so that longer is better."""
    shown = [(row, row.ratio) for row in rows if row.ratio and row.against == PLAIN]
    bottom = TOP + HEIGHT * len(shown)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 34}" font-family="sans-serif" '
        'font-size="12">',
        f'<rect width="{WIDTH}" height="{bottom + 34}" fill="#ffffff"/>',
        text(14, 24, title, size=15),
        text(
            14, 44, "ratio to plain Celery; the black mark is the target, latencies are turned over", colour="#5a6b7b"
        ),
    ]
    for tick in TICKS:
        x = position(tick)
        colour = "#333333" if tick == 1 else "#d9dee3"
        parts.append(f'<line x1="{x}" y1="{TOP - 6}" x2="{x}" y2="{bottom}" stroke="{colour}"/>')
        parts.append(text(x, bottom + 16, f"{tick:g}×", anchor="middle"))
    for number, (row, found) in enumerate(shown):
        better = 1 / found if row.unit == "ms" else found
        y = TOP + HEIGHT * number
        left, right = sorted((position(1), position(better)))
        label = f"{row.workload} {row.broker}, {row.pool}, {row.variant}"
        parts.append(text(LABELS - 8, y + 13, label, anchor="end"))
        parts.append(
            f'<rect x="{left}" y="{y}" width="{max(right - left, 1):.1f}" height="{HEIGHT - 8}" '
            f'fill="{COLOURS[row.held]}"/>'
        )
        if row.target is not None:
            x = position(1 / row.target.bound if row.unit == "ms" else row.target.bound)
            parts.append(f'<rect x="{x - 1}" y="{y - 3}" width="3" height="{HEIGHT - 2}" fill="#000000"/>')
        parts.append(text(WIDTH - 10, y + 13, f"{found:.2f}", anchor="end"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def text(x: float, y: float, words: str, *, size: int = 12, anchor: str = "start", colour: str = "#222222") -> str:
    """A piece of text.

    >>> text(1, 2, "a < b")
    '<text x="1" y="2" font-size="12" text-anchor="start" fill="#222222">a &lt; b</text>'
    """
    return f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'
