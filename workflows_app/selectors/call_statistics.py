"""Statistics of what steps did and asked outside: by service and operation, or by the activity that did it.

They are made of the latest entries of a window of time, so many at most, whatever there is: an index gives them.
"""

from __future__ import annotations

from typing import Any

from django.db import connection

HOURS = 24
MOST = 10_000
"""How many calls are looked at, the latest of the window."""
# As a query of its own, so that it is evaluated once and the index begins where the window does.
_WINDOW = "(SELECT wf_clock() - make_interval(hours => %s))"
_ALL = f"e.planned_at > {_WINDOW} ORDER BY e.planned_at DESC"
_OF_SERVICE = f"e.kind = 'service.call' AND e.facts->>'service' = %s AND e.planned_at > {_WINDOW} ORDER BY e.id DESC"
_QUERY = """
SELECT service, operation, count(*), sum(count(*)) OVER (),
    count(*) FILTER (WHERE state = 'confirmed'), count(*) FILTER (WHERE settled_at IS NULL),
    count(*) FILTER (WHERE retries > 0), avg(seconds), percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds),
    avg(parameters_bytes), avg(result_bytes)
FROM (SELECT coalesce(e.facts->>'service', e.kind) AS service, e.facts->>'operation' AS operation, e.state,
        e.settled_at, e.retries, e.parameters_bytes, e.result_bytes,
        extract(epoch FROM e.settled_at - e.planned_at)::float AS seconds
    FROM workflows_app_effect e WHERE {} LIMIT %s) latest
GROUP BY service, operation ORDER BY 3 DESC, 1, 2
"""


def statistics(*, hours: int = HOURS, service: str | None = None, most: int = MOST) -> dict[str, Any]:
    """Return what was called within the last hours, and how it went.

    Args:
        hours: how far back.
        service: only calls of this one.
        most: of how many calls, the latest.

    Returns:
        ``hours``; ``calls`` that were looked at; ``cut``, whether there may be earlier ones within the time; and
        ``operations``, most called first, each ``{service, operation, calls, confirmed, open, success_rate, retries,
        seconds: {mean, p95}, bytes: {parameters, result}}``: ``service`` is the activity where none was called,
        ``retries`` are calls of an attempt after one that had failed, ``open`` are those of which nothing is known
        (yet), the ``success_rate`` is one of the others, and bytes are means.
    """
    condition, chosen = (_ALL, []) if service is None else (_OF_SERVICE, [service])
    with connection.cursor() as cursor:
        cursor.execute(_QUERY.format(condition), [*chosen, hours, most])
        rows = cursor.fetchall()
    total = int(rows[0][3]) if rows else 0
    return {
        "hours": hours,
        "calls": total,
        "cut": total >= most,
        "operations": [_operation(row) for row in rows],
    }


def _operation(row: tuple[Any, ...]) -> dict[str, Any]:
    service, operation, calls, _, confirmed, left, retries, mean, p95, sent, received = row
    settled = calls - left
    return {
        "service": service,
        "operation": operation,
        "calls": calls,
        "confirmed": confirmed,
        "open": left,
        "success_rate": round(confirmed / settled, 4) if settled else None,
        "retries": retries,
        "seconds": {"mean": _rounded(mean), "p95": _rounded(p95)},
        "bytes": {"parameters": _whole(sent), "result": _whole(received)},
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(float(seconds), 3)


def _whole(number: Any) -> int | None:
    return None if number is None else round(number)
