"""Rates: how often something may happen, counted over all processes by one row of the database."""

from __future__ import annotations

from django.db import connection


def ask(name: str, *, per_second: float, burst: int) -> float:
    """Count one more, if there is room.

    Args:
        name: of the limit.
        per_second: how many may come in the long run.
        burst: how many may come at once.

    Returns:
        0 if it may go on; else after how many seconds the next one may, and nothing is counted.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT wf_rate(%s, %s, %s)", [name, 1 / per_second, burst])
        return float(cursor.fetchone()[0])
