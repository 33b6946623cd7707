"""Presence: workers and sweepers say every few seconds that they are there. Pages read it, the engine never does."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

INTERVAL = 10.0
"""Seconds between two signs of life."""
FORGOTTEN_AFTER = 600.0
"""Seconds after which a process that fell silent is not listed any more."""

RENEW = "UPDATE workflows_app_worker SET seen_at = wf_clock(), queues = %s, processes = %s WHERE {me}"
BEGIN = """
INSERT INTO workflows_app_worker (kind, name, host, pid, queues, processes, activities, started_at, seen_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, wf_clock(), wf_clock()) ON CONFLICT (kind, name, host, pid) DO NOTHING
"""
ME = "kind = %s AND name = %s AND host = %s AND pid = %s"
FORGET = "DELETE FROM workflows_app_worker WHERE seen_at < wf_clock() - make_interval(secs => %s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """What a process says of itself.

    Args:
        kind: ``worker`` or ``sweeper``.
        name: of a worker the name that Celery gives it.
        queues: those that it takes messages from.
        processes: how many steps it runs at once.
        activities: ``name@version`` of each that it has.
    """

    kind: str
    name: str
    queues: Sequence[str] = ()
    processes: int = 1
    activities: Sequence[str] = ()

    @property
    def _key(self) -> list[Any]:
        return [self.kind, self.name[:200], socket.gethostname()[:200], os.getpid()]

    def give(self) -> None:
        """Say that the process is there, in one statement once it is known."""
        queues = json.dumps(list(self.queues))
        with connection.cursor() as cursor:
            cursor.execute(RENEW.format(me=ME), [queues, self.processes, *self._key])
            if not cursor.rowcount:
                cursor.execute(BEGIN, [*self._key, queues, self.processes, json.dumps(list(self.activities))])

    def withdraw(self) -> None:
        """Say that the process ends."""
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM workflows_app_worker WHERE {ME}", self._key)  # noqa: S608 - a constant


def forget_silent() -> int:
    """Remove those that have not been heard of for long; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(FORGET, [FORGOTTEN_AFTER])
        return int(cursor.rowcount)
