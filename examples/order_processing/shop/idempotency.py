"""One key, one effect, one answer: the shop's side of a call that may be repeated.

The row of the key is inserted before the effect and in its transaction, so a duplicate that comes at the same moment
waits for the outcome and then reads the answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg2.extras import Json

from examples.order_processing.shop.refusal import Refusal

VOIDED = Refusal(409, "KEY_VOIDED", "This request was undone before it arrived; it has no effect.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the caller gets; ``replayed`` when an earlier call with the key had the effect."""

    status: int
    body: Any
    replayed: bool = False


def once(cursor: Any, *, key: str, path: str, body: Mapping[str, Any], effect: Callable[[], Any]) -> Answer:
    """Perform ``effect`` unless the key was used, and store what it answers or refuses.

    Args:
        cursor: inside the transaction that is to hold both the effect and the answer.
        effect: returns the answer, or raises ``Refusal`` before it has written anything.

    Raises:
        Refusal: 422 when the key was used for another request.
    """
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    cursor.execute(
        "INSERT INTO shop.requests (key, path, body_digest) VALUES (%s, %s, %s) ON CONFLICT (key) DO NOTHING",
        (key, path, digest),
    )
    if cursor.rowcount == 0:
        return _replay(cursor, key=key, path=path, digest=digest)
    try:
        status, answer = 200, effect()
    except Refusal as refusal:
        status, answer = refusal.status, refusal.answer()
    cursor.execute("UPDATE shop.requests SET status = %s, answer = %s WHERE key = %s", (status, Json(answer), key))
    return Answer(status=status, body=answer)


def void(cursor: Any, *, key: str, path: str) -> None:
    """Take a key that was never used, so that the request it belongs to can have no effect later.

    A request with the key that is under way is waited for.
    """
    cursor.execute(
        "INSERT INTO shop.requests (key, path, status, answer, calls) VALUES (%s, %s, %s, %s, 0)"
        " ON CONFLICT (key) DO NOTHING",
        (key, path, VOIDED.status, Json(VOIDED.answer())),
    )


def record(cursor: Any, *, key: str, kind: str, order_id: str, subject: str) -> None:
    """Write one effect to the journal: ``subject`` is the id of the row that it made or changed."""
    cursor.execute(
        "INSERT INTO shop.effects (key, kind, order_id, subject) VALUES (%s, %s, %s, %s)",
        (key, kind, order_id, subject),
    )


def _replay(cursor: Any, *, key: str, path: str, digest: str) -> Answer:
    cursor.execute(
        "UPDATE shop.requests SET calls = calls + 1 WHERE key = %s RETURNING path, body_digest, status, answer", (key,)
    )
    known_path, known_digest, status, answer = cursor.fetchone()
    if known_digest is not None and (known_path, known_digest) != (path, digest):
        raise Refusal(422, "KEY_REUSED", "This Idempotency-Key was used for another request.")
    return Answer(status=status, body=answer, replayed=True)
