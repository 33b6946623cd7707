"""Changes: marks that differ once something has changed, read by key and from counters, whatever there is."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.db import connection

ONE = """
SELECT i.id, concat_ws('/', i.sequence, i.state,
    (SELECT concat_ws('/', max(a.progress_at), sum(l.said)) FROM workflows_app_attempt a
        LEFT JOIN LATERAL (SELECT max(x.ordinal) AS said FROM workflows_app_logline x
            WHERE x.instance_id = a.instance_id AND x.path = a.path AND x.number = a.number) l ON true
        WHERE a.instance_id = i.id AND a.state = 'running'))
FROM workflows_app_instance i WHERE i.id = ANY(%s::uuid[])
"""
# PostgreSQL counts what it writes to a table: every event of an instance writes its row.
ALL = """
SELECT concat_ws('/', n_tup_ins, n_tup_upd, n_tup_del) FROM pg_stat_all_tables
WHERE relid = 'workflows_app_instance'::regclass
"""


def marks_of(instances: Collection[UUID]) -> dict[UUID, str]:
    """Return a mark of each of these instances; one that does not exist has none."""
    if not instances:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(ONE, [[str(each) for each in instances]])
        return dict(cursor.fetchall())


def mark_of_all() -> str:
    """Return a mark of all instances together; it may lag some seconds behind."""
    with connection.cursor() as cursor:
        cursor.execute(ALL)
        row = cursor.fetchone()
    return "" if row is None else str(row[0])
