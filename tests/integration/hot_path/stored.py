"""Everything that is stored of an instance, as texts: two ways to the same answer leave the same texts behind."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import connection

from workflows_app.models import Event, Instance, Step

# The number of missing values tells a JSON null from no value at all, which look alike in a row's JSON.
_VALUES = {
    "instance": "input, output, error",
    "step": "input, undo_input, output, error, undo_error",
    "attempt": "error",
    "timer": "path",
    "dispatch": "published_at",
    "event": "data",
}
_ORDER = {"step": "path", "attempt": "path, number", "timer": "path, kind", "dispatch": "path", "event": "sequence"}
_TABLES = {
    table: f"SELECT to_jsonb(x) - 'id' || jsonb_build_object('missing', num_nulls({values})) "
    f"FROM workflows_app_{table} x WHERE {'id' if table == 'instance' else 'instance_id'} = %s "
    f"ORDER BY {_ORDER.get(table, 'id')}"
    for table, values in _VALUES.items()
}
_ALL = ", ".join(f"ARRAY(SELECT q::text FROM ({query}) AS q(q))" for query in _TABLES.values())


def everything(instance_id: UUID) -> dict[str, list[str]]:
    """Return every row of an instance by table, hashes included, keys of the database's own left out."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_ALL}", [instance_id] * len(_TABLES))
        return dict(zip(_TABLES, cursor.fetchone(), strict=True))


def identical(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal in value and in type, all the way down: 1 is not 1.0, and 0.0 not -0.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(identical(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(identical, one, other))
    return repr(one) == repr(other) if isinstance(one, float) else one == other


def places(instance: Instance, text: str) -> list[str]:
    """Where a text stands in the rows and the events of an instance's steps."""
    rows = Step.objects.filter(instance=instance).order_by("path")
    found = [f"{row.path}.{name}" for row in rows for name in ("input", "output") if text in str(getattr(row, name))]
    events = Event.objects.filter(instance=instance, type__startswith="step.").order_by("sequence")
    return found + [f"{event.type} {event.step}" for event in events if text in str(event.data)]
