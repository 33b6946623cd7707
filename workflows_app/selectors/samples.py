"""Samples: how busy processes and their machines were over the last hours, by stretches of time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import connection

HOURS: Final = 6
STRETCH: Final = timedelta(minutes=5)
OF_PROCESS: Final = ("cpu", "memory", "busy")
OF_HOST: Final = ("host_cpu", "host_memory_used", "disk_free", "sent", "received")

Curve = list[float | None]
"""One value for each stretch, the oldest first; nothing where nobody said anything."""

_SQL = """
SELECT {who}, (floor(extract(epoch FROM wf_clock()) / %s) - floor(extract(epoch FROM s.at) / %s))::int, {means}
FROM workflows_app_sample s WHERE s.at > wf_clock() - make_interval(secs => %s) GROUP BY {who}, {which}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Curves by figure: of each process by its kind, name and host, and of each host."""

    processes: Mapping[tuple[str, str, str], Mapping[str, Curve]]
    hosts: Mapping[str, Mapping[str, Curve]]


def last_hours() -> Samples:
    """Return the means of every stretch of the last ``HOURS``."""
    processes = _curves(("kind", "name", "host"), OF_PROCESS)
    hosts = _curves(("host",), OF_HOST)
    return Samples(
        processes={(key[0], key[1], key[2]): found for key, found in processes.items()},
        hosts={key[0]: found for key, found in hosts.items()},
    )


def _curves(who: tuple[str, ...], figures: tuple[str, ...]) -> dict[tuple[str, ...], dict[str, Curve]]:
    length = HOURS * 3600 // int(STRETCH.total_seconds())
    statement = _SQL.format(
        who=", ".join(f"s.{each}" for each in who),
        means=", ".join(f"avg((s.figures->>'{each}')::float)" for each in figures),
        which=len(who) + 1,
    )
    found: dict[tuple[str, ...], dict[str, Curve]] = defaultdict(
        lambda: {figure: [None] * length for figure in figures}
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [STRETCH.total_seconds(), STRETCH.total_seconds(), HOURS * 3600])
        for row in cursor.fetchall():
            back = row[len(who)]
            if 0 <= back < length:
                for figure, value in zip(figures, row[len(who) + 1 :], strict=True):
                    found[row[: len(who)]][figure][length - 1 - back] = value
    return dict(found)
