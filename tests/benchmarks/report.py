"""The result as a table for a terminal, and as one JSON document."""

from __future__ import annotations

import json
from collections.abc import Sequence
from statistics import median
from typing import Any, Final

from tests.benchmarks.rows import BEST, PLAIN, Row

NOISY_PERCENT: Final = 15.0
HEADINGS: Final = ("", "workload", "fusion", "unit", "plain", "ours", "ratio", "target", "held")
LEFT: Final = 4
"""Columns of words stand left, columns of numbers right."""


def number(value: float | None) -> str:
    """A figure with as many digits as it is worth.

    >>> number(1234.5), number(87.25), number(2.345), number(None)
    ('1,234', '87.2', '2.35', '-')
    """
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def middle(values: Sequence[float]) -> float | None:
    """The median, or None of nothing."""
    return median(values) if values else None


def cells(row: Row) -> tuple[str, ...]:
    """A row's columns, in the order of ``HEADINGS``."""
    held = {True: "yes", False: "NO", None: ""}[row.held]
    return (
        row.workload,
        row.title if row.against in (PLAIN, "") else f"{row.title} (÷ {row.against})",
        row.variant,
        row.unit,
        number(middle(row.plain)),
        number(middle(row.ours)),
        "broke" if row.error else number(row.ratio),
        "" if row.target is None else str(row.target),
        held,
    )


def table(rows: Sequence[Row]) -> str:
    """All rows, one table for each broker and pool."""
    parts = []
    for place in dict.fromkeys((row.broker, row.pool) for row in rows):
        chosen = [row for row in rows if (row.broker, row.pool) == place]
        lines = [HEADINGS, *map(cells, chosen)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        shown = [
            "  ".join(
                cell.ljust(width) if index < LEFT else cell.rjust(width)
                for index, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        kind = "either side in its better pool" if place[1] == BEST else place[1]
        parts.append("\n".join([f"{place[0]}, two worker processes ({kind})", *shown]))
    return "\n\n".join([*parts, *notes(rows)])


def notes(rows: Sequence[Row]) -> list[str]:
    """What a reader of the table has to know besides."""
    said = [f"{row.workload} ({row.broker}, {row.pool}): {row.note}." for row in rows if row.note]
    said += [
        f"{row.workload} ({row.broker}, {row.pool}, {row.variant}) broke: {row.error}" for row in rows if row.error
    ]
    noisy = [row for row in rows if max(row.busy, default=0) > NOISY_PERCENT]
    if noisy:
        busiest = max(max(row.busy) for row in noisy)
        said.append(f"The machine was not quiet: others used up to {busiest:.0f} % of it ({len(noisy)} rows).")
    return ["\n".join(said)] if said else []


def document(rows: Sequence[Row], machine: dict[str, Any], statements: Sequence[dict[str, Any]]) -> str:
    """The JSON document of a run."""
    content = {"machine": machine, "rows": [row.as_dict() for row in rows], "statements": list(statements)}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
