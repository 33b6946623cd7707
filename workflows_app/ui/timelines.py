"""The timeline of an instance: its attempts, the back-off between them, and what it waited for, from rows in hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from workflows_app.drawing.timeline import Span, Timeline, Track, lay_out
from workflows_app.engine.states import AttemptState, Role, StepState
from workflows_app.spans import span
from workflows_app.ui.outline import Line

MOST_TRACKS = 150
WAITING = ("wait", "receive", "call", "adhoc")
"""Kinds of steps that take time without a worker."""
TRIED_AGAIN = (AttemptState.FAILED, AttemptState.TIMED_OUT, AttemptState.LOST)


def of_instance(
    instance: Any, attempts: Sequence[Any], lines: Iterable[Line], *, now: datetime
) -> tuple[Timeline | None, bool]:
    """Return the timeline, ``None`` where nothing took time yet, and whether it was cut to its last tracks.

    Args:
        instance: as ``portions.overview`` returns it.
        attempts: in the order of their beginning.
        lines: the page's list of steps.
        now: what goes on is drawn up to then.
    """
    every = [line for line in lines if line.path and line.row is not None]
    rows = {line.path: line.row for line in every}
    names = {line.path: line.name for line in every if line.is_named}
    tracks = [*_of_attempts(attempts, rows, names), *_of_waits(every)]
    tracks.sort(key=lambda track: track.spans[0].start)
    if not tracks:
        return None, False
    kept = tracks[-MOST_TRACKS:]
    first = min(track.spans[0].start for track in kept)
    start = first if len(kept) < len(tracks) else min(first, instance.started_at or first)
    last = max((each.end or now for track in kept for each in track.spans), default=now)
    end = max(last, instance.ended_at or now) if len(kept) == len(tracks) else last
    return lay_out(kept, start=start, end=end), len(kept) < len(tracks)


def _of_attempts(attempts: Sequence[Any], rows: Mapping[str, Any], names: Mapping[str, str]) -> list[Track]:
    by_step: dict[tuple[str, bool], list[Any]] = {}
    for attempt in attempts:
        by_step.setdefault((attempt.path, attempt.role == Role.COMPENSATION), []).append(attempt)
    found: list[Track] = []
    for (path, undo), mine in by_step.items():
        spans: list[Span] = []
        for before, attempt in zip([None, *mine], mine, strict=False):
            if before is not None and before.ended_at is not None and before.state in TRIED_AGAIN:
                spans.append(_backoff(before, attempt.started_at))
            spans.append(_attempt(attempt))
        row, last = rows.get(path), mine[-1]
        if row is not None and last.ended_at is not None and _is_retrying(row, undo):
            spans.append(_backoff(last, None))
        label = names.get(path, path)
        found.append(Track(label=f"undo {label}" if undo else label, spans=spans, undo=undo, path=path))
    return found


def _is_retrying(row: Any, undo: bool) -> bool:
    if undo:
        return bool(row.state == StepState.COMPENSATING and row.due_at is not None)
    return bool(row.state == StepState.RETRYING)


def _attempt(attempt: Any) -> Span:
    took = f"{attempt.state.replace('_', ' ')} after" if attempt.ended_at else "running"
    code = f", {attempt.error_code}" if attempt.error_code else ""
    how_long = f" {span(attempt.started_at, attempt.ended_at)}" if attempt.ended_at else ""
    words = f"attempt {attempt.number}: {took}{how_long}{code}"
    return Span(kind="attempt", state=attempt.state, start=attempt.started_at, end=attempt.ended_at, words=words)


def _backoff(before: Any, end: datetime | None) -> Span:
    words = f"back-off after attempt {before.number}"
    return Span(kind="backoff", state=StepState.RETRYING, start=before.ended_at, end=end, words=words)


def _of_waits(lines: Iterable[Line]) -> list[Track]:
    found = []
    for line in lines:
        row = line.row
        if line.kind not in WAITING or row is None or row.started_at is None or row.attempts:
            continue
        if row.state == StepState.SKIPPED:
            continue
        words = f"{line.kind}: {line.state.replace('_', ' ')}"
        waited = Span(kind="wait", state=row.state, start=row.started_at, end=row.ended_at, words=words)
        found.append(Track(label=line.name, spans=[waited], path=line.path))
    return found
