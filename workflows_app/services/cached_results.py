"""Cached results: looking up what a decision asks for, and forgetting what has expired."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from django.db import connection

from workflows_app.engine import stored, values
from workflows_app.engine.caching import Entry, Found
from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.transitions import Slice


def look_up(slice_: Slice, entries: Iterable[Entry]) -> Slice:
    """Return the slice with these entries looked up as well; a result that has expired is not found."""
    wanted = list(entries)
    found = {
        Entry(activity=row["activity"], key=row["key"]): Found(
            output=row["output"], instance=row["instance"], step=row["step"]
        )
        for row in _rows(wanted)
    }
    return replace(slice_, cached={**slice_.cached, **{entry: found.get(entry) for entry in wanted}})


def fresh(entries: Collection[Entry]) -> dict[Entry, Any]:
    """Return what is kept under these entries and has not expired."""
    return {Entry(activity=row["activity"], key=row["key"]): row["output"] for row in _rows(entries)}


def _rows(entries: Collection[Entry]) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT wf_cached(%s, %s)", [[e.activity for e in entries], [e.key for e in entries]])
        found: list[dict[str, Any]] = stored.loads(cursor.fetchone()[0])
        return found


def keep(*, entry: Entry, output: Any, seconds: float, instance_id: str, path: str, limit_bytes: int) -> bool:
    """Keep a value that is no step's result, in the place of what was kept under its entry.

    Args:
        instance_id, path: the step that it comes from.
        limit_bytes: a larger value is not kept.

    Returns:
        Whether it was kept.
    """
    try:
        text = values.encode(output, limit_bytes=limit_bytes, what="the value")
    except OrchestratorError:
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT wf_keep(%s, %s, %s, %s, %s, %s)", [entry.activity, entry.key, text, instance_id, path, seconds]
        )
    return True


def forget(limit: int) -> int:
    """Remove up to ``limit`` expired results; return how many."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT wf_forget(%s)", [limit])
        return int(cursor.fetchone()[0])
