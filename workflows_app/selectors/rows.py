"""Rows of a statement, by the names of their columns."""

from __future__ import annotations

from typing import Any

from django.db import connection


def named(statement: str, parameters: Any) -> list[dict[str, Any]]:
    """Return what a statement answers, a mapping for each row."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
