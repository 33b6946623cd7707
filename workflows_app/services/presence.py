"""Presence: workers and sweepers say every few seconds that they are there. Pages read it, the engine never does."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

INTERVAL = 10.0
"""Seconds between two signs of life."""
FORGOTTEN_AFTER = 600.0
"""Seconds after which a process that fell silent is not listed any more."""

SAMPLES_KEPT = 86_400.0
"""Seconds for which there is one of its signs a minute, with its figures."""

RENEW = "UPDATE workflows_app_worker SET seen_at = wf_clock(), queues = %s, processes = %s, figures = %s WHERE {me}"
BEGIN = """
INSERT INTO workflows_app_worker (kind, name, host, pid, queues, processes, figures, activities, started_at, seen_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, wf_clock(), wf_clock()) ON CONFLICT (kind, name, host, pid) DO NOTHING
"""
SAMPLE = """
INSERT INTO workflows_app_sample (kind, name, host, at, figures)
VALUES (%s, %s, %s, date_trunc('minute', wf_clock()), %s) ON CONFLICT (kind, name, host, at) DO NOTHING
"""
FORGET_SAMPLES = "DELETE FROM workflows_app_sample WHERE at < wf_clock() - make_interval(secs => %s)"
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
        figures: how busy it is, as ``figures.Meter`` says; of a worker also ``busy``, how many of its processes are at
            work, and ``completed`` and ``failed``, steps since it started.
    """

    kind: str
    name: str
    queues: Sequence[str] = ()
    processes: int = 1
    activities: Sequence[str] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def _key(self) -> list[Any]:
        return [self.kind, self.name[:200], socket.gethostname()[:200], os.getpid()]

    def give(self) -> None:
        """Say that the process is there; the first time in a minute, keep its figures too."""
        said: list[Any] = [json.dumps(list(self.queues)), self.processes, json.dumps(dict(self.figures))]
        with connection.cursor() as cursor:
            cursor.execute(RENEW.format(me=ME), [*said, *self._key])
            if not cursor.rowcount:
                cursor.execute(BEGIN, [*self._key, *said, json.dumps(list(self.activities))])
            if self.figures:
                cursor.execute(SAMPLE, [*self._key[:3], said[-1]])

    def withdraw(self) -> None:
        """Say that the process ends."""
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM workflows_app_worker WHERE {ME}", self._key)  # noqa: S608 - a constant


def forget_silent() -> int:
    """Remove those that have not been heard of for long, and samples that are old; return how many of the first."""
    with connection.cursor() as cursor:
        cursor.execute(FORGET_SAMPLES, [SAMPLES_KEPT])
        cursor.execute(FORGET, [FORGOTTEN_AFTER])
        return int(cursor.rowcount)
