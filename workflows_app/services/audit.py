"""The audit trail: what people and commands did, gapless and hash-chained like the history of an instance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.db import connection, transaction


@transaction.atomic
def record(*, actor: str, action: str, target: str, data: Mapping[str, Any] | None = None) -> int:
    """Append one entry in the caller's transaction.

    Args:
        actor: user name, or ``command`` for the command line without a user.
        action: what was done, past tense, for example ``definition.published``.
        target: what it was done to.
        data: further facts, JSON-like, never a secret.

    Returns:
        The entry's sequence number, 1, 2, 3 … without a gap.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT wf_audit(%s, %s, %s, %s)", [actor[:200], action, target[:300], json.dumps(dict(data or {}))]
        )
        return int(cursor.fetchone()[0])
