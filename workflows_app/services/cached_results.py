"""Cached results: looking up what a decision asks for, and forgetting what has expired."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from django.db import connection

from workflows_app.engine import stored
from workflows_app.engine.caching import Entry, Found
from workflows_app.engine.transitions import Slice


def look_up(slice_: Slice, entries: Iterable[Entry]) -> Slice:
    """Return the slice with these entries looked up as well; a result that has expired is not found."""
    wanted = list(entries)
    with connection.cursor() as cursor:
        cursor.execute("SELECT wf_cached(%s, %s)", [[e.activity for e in wanted], [e.key for e in wanted]])
        rows = stored.loads(cursor.fetchone()[0])
    found = {
        Entry(activity=row["activity"], key=row["key"]): Found(
            output=row["output"], instance=row["instance"], step=row["step"]
        )
        for row in rows
    }
    return replace(slice_, cached={**slice_.cached, **{entry: found.get(entry) for entry in wanted}})


def forget(limit: int) -> int:
    """Remove up to ``limit`` expired results; return how many."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT wf_forget(%s)", [limit])
        return int(cursor.fetchone()[0])
