"""Logs of attempts for people: the last lines of an instance, of a step, of one attempt, and of each that is shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from workflows_app.models import LogLine

MOST_LINES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """The log of one attempt: how many lines it has, and the last of them, each with its beginning."""

    total: int
    lines: tuple[LogLine, ...]

    @property
    def earlier(self) -> int:
        """How many lines come before."""
        return self.total - len(self.lines)


def last_lines(
    instance_id: UUID, *, step: str | None = None, attempt: int | None = None, number: int = MOST_LINES
) -> tuple[list[LogLine], bool]:
    """Return the last lines of an instance in the order in which they were said, and whether there are earlier ones.

    Args:
        step: only those of this path.
        attempt: only those of attempts with this number.
        number: how many at most.
    """
    rows = LogLine.objects.filter(instance_id=instance_id)
    if step is not None:
        rows = rows.filter(path=step)
    if attempt is not None:
        rows = rows.filter(number=attempt)
    found = list(rows.order_by("-at", "-path", "-number", "-ordinal")[: number + 1])
    return found[:number][::-1], len(found) > number


_EXCERPTS = """
SELECT w.path, w.number, n.total, l.ordinal, l.at, l.level, l.logger, left(l.text, %s)
FROM unnest(%s::text[], %s::int[]) AS w(path, number)
CROSS JOIN LATERAL (SELECT count(*) AS total FROM workflows_app_logline c
    WHERE c.instance_id = %s AND c.path = w.path AND c.number = w.number) n
CROSS JOIN LATERAL (SELECT c.ordinal, c.at, c.level, c.logger, c.text FROM workflows_app_logline c
    WHERE c.instance_id = %s AND c.path = w.path AND c.number = w.number ORDER BY c.ordinal DESC LIMIT %s) l
ORDER BY w.path, w.number, l.ordinal
"""


def excerpts(
    instance_id: UUID, attempts: Iterable[tuple[str, int]], *, number: int, length: int
) -> dict[tuple[str, int], Excerpt]:
    """Return the ends of the logs of these attempts by (path, number); those that said nothing are left out.

    Args:
        number: lines of each.
        length: characters of each line; one more tells that it was cut.
    """
    wanted = list(attempts)
    if not wanted:
        return {}
    paths, numbers = [path for path, _ in wanted], [attempt for _, attempt in wanted]
    found: dict[tuple[str, int], list[LogLine]] = {}
    totals: dict[tuple[str, int], int] = {}
    with connection.cursor() as cursor:
        cursor.execute(_EXCERPTS, [length + 1, paths, numbers, instance_id, instance_id, number])
        for path, attempt, total, ordinal, at, level, logger, text in cursor.fetchall():
            line = LogLine(ordinal=ordinal, at=at, level=level, logger=logger, text=text)
            found.setdefault((path, attempt), []).append(line)
            totals[path, attempt] = total
    return {key: Excerpt(total=totals[key], lines=tuple(lines)) for key, lines in found.items()}


def as_dict(line: LogLine) -> dict[str, Any]:
    """Return a line as ``workflow logs`` prints it."""
    return {
        "step": line.path,
        "attempt": line.number,
        "at": line.at.isoformat().replace("+00:00", "Z"),
        "level": line.level,
        "logger": line.logger,
        "text": line.text,
    }
