"""Timelines: what took how long and when, as bars over one axis of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from workflows_app.drawing.words import fitting
from workflows_app.spans import duration

LABELS = 210.0
"""Room for the names of the tracks."""
AXIS = 760.0
"""Width of the time from beginning to end."""
TRACK = 24.0
TOP = 26.0
BAR = 14.0
THINNEST = 2.0
"""What took no time at all can be seen too."""
MOST_TICKS = 6
_STEPS = tuple(
    timedelta(milliseconds=each)
    for each in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000)
) + tuple(
    timedelta(minutes=each)
    for each in (1, 2, 5, 10, 20, 30, 60, 120, 180, 360, 720, 1440, 2880, 10_080, 20_160, 43_200, 129_600, 525_600)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Something that took time.

    Args:
        kind: ``attempt``, ``backoff`` or ``wait``.
        state: of an attempt or of the step that waits: its look.
        start: when it began.
        end: when it ended; ``None``: it goes on.
        words: what is said of it.
    """

    kind: str
    state: str
    start: datetime
    end: datetime | None
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """The spans of one step; those of its undo are a track of their own."""

    label: str
    spans: Sequence[Span]
    undo: bool = False
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A span with its place."""

    span: Span
    x: float
    y: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A track with its place; ``label`` is as much of its name as fits."""

    track: Track
    label: str
    y: float
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A moment of the axis, as time since the beginning."""

    x: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """All of it; undos stand below the steps."""

    width: float
    height: float
    rows: Sequence[Row]
    ticks: Sequence[Tick]
    undo_from: float | None
    bar: float = BAR


def lay_out(tracks: Sequence[Track], *, start: datetime, end: datetime) -> Timeline:
    """Place tracks from top to bottom, undos after all others.

    Args:
        tracks: in the order in which they are shown.
        start: the beginning of the axis.
        end: its end; what goes on ends there.
    """
    whole = max((end - start).total_seconds(), 0.001)
    ordered = sorted(tracks, key=lambda track: track.undo)
    rows: list[Row] = []
    undo_from: float | None = None
    y = TOP
    for track in ordered:
        if track.undo and undo_from is None:
            undo_from = y
            y += TOP
        bars = [_bar(span, y, start, end, whole) for span in track.spans]
        rows.append(Row(track=track, label=fitting(track.label, width=LABELS - 16, size=12.5), y=y, bars=bars))
        y += TRACK
    ticks = [Tick(x=LABELS + at.total_seconds() / whole * AXIS, label=since(at)) for at in _ticks(end - start)]
    return Timeline(width=LABELS + AXIS + 50, height=y + 8, rows=rows, ticks=ticks, undo_from=undo_from)


def _bar(span: Span, y: float, start: datetime, end: datetime, whole: float) -> Bar:
    def place(at: datetime) -> float:
        return min(max((at - start).total_seconds() / whole, 0.0), 1.0) * AXIS

    left = min(place(span.start), AXIS - THINNEST)
    width = max(place(span.end or end) - left, THINNEST)
    return Bar(span=span, x=LABELS + left, y=y + (TRACK - BAR) / 2, width=width)


def _ticks(length: timedelta) -> list[timedelta]:
    step = next((each for each in _STEPS if each * MOST_TICKS >= length), length / MOST_TICKS)
    count = ceil(length / step) if step else 0
    return [step * number for number in range(count + 1) if step * number <= length]


def since(length: timedelta) -> str:
    """Write a time since the beginning; ticks stand at round ones.

    >>> [since(timedelta(seconds=each)) for each in (0, 0.05, 2, 90, 7200, 86400 * 3)]
    ['0', '50 ms', '2 s', '1 min 30 s', '2 h', '3 d']
    """
    return duration(length.total_seconds()).replace(".0 s", " s") if length else "0"
