"""Presence: which workers and sweepers are there, by what they last said of themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import connection

from workflows_app.models import Worker

# A process that has not been heard of for so long is taken for gone: it says so every ten seconds.
IS_THERE: Final = "w.seen_at > wf_clock() - interval '35 seconds'"

SERVED: Final = f"""EXISTS (
    SELECT 1 FROM workflows_app_worker w WHERE w.kind = 'worker' AND w.queues ? d.queue AND {IS_THERE}
)"""  # noqa: S608 - a constant
"""Whether some worker takes messages from the queue of the ticket ``d``."""


def clock() -> datetime:
    """Return the time by the database's clock, which all times of the engine are taken from."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT wf_clock()")
        at: datetime = cursor.fetchone()[0]
        return at


def processes() -> list[Worker]:
    """Return the workers and sweepers that said that they are there, each with ``is_there``: whether it still is."""
    statement = f"SELECT w.*, {IS_THERE} AS is_there FROM workflows_app_worker w ORDER BY w.kind DESC, w.name, w.pid"  # noqa: S608
    return list(Worker.objects.raw(statement))
