"""Charts: where the bars of a picture stand, reckoned here, so that a template only writes them down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from workflows_app.selectors.overview import Interval

WIDTH, HEIGHT = 720, 150
GAP = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One part of a column: its tone (a class of the style sheet) and its place."""

    tone: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One interval: its bars from the bottom up, and the numbers that they stand for."""

    interval: Interval
    x: float
    width: float
    bars: tuple[Bar, ...]

    @property
    def begin(self) -> datetime:
        return self.interval.begin


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Columns in a picture of WIDTH × HEIGHT; ``top`` is the number that the whole height stands for."""

    columns: tuple[Column, ...]
    top: int
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def total(self) -> int:
        return sum(_total(column.interval) for column in self.columns)


def throughput(intervals: Sequence[Interval]) -> Chart:
    """Return the chart of what ended by the interval.

    >>> from datetime import UTC
    >>> chart = throughput([Interval(begin=datetime(2026, 1, 1, tzinfo=UTC), completed=3, failed=1)])
    >>> chart.top, [(bar.tone, bar.y, bar.height) for bar in chart.columns[0].bars]
    (4, [('ok', 37.5, 112.5), ('bad', 0.0, 37.5)])
    """
    top = max((_total(each) for each in intervals), default=0)
    width = WIDTH / max(1, len(intervals))
    return Chart(
        columns=tuple(_column(each, index * width, width - GAP, top) for index, each in enumerate(intervals)), top=top
    )


def _column(interval: Interval, x: float, width: float, top: int) -> Column:
    bars, y = [], float(HEIGHT)
    for tone, number in (("ok", interval.completed), ("off", interval.otherwise), ("bad", interval.failed)):
        if number:
            # What there is one of must not vanish beside thousands.
            height = max(2.0, round(number / top * HEIGHT, 1))
            y = max(0.0, round(y - height, 1))
            bars.append(Bar(tone=tone, x=round(x, 1), y=y, width=round(width, 1), height=height))
    return Column(interval=interval, x=round(x, 1), width=round(width, 1), bars=tuple(bars))


def _total(interval: Interval) -> int:
    return interval.completed + interval.failed + interval.otherwise
