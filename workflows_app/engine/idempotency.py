"""Idempotency keys: what a step hands to every external call, so that the other side recognises a repetition.

All attempts of a step carry the same key. A step that says nothing has one of its own making: instance, path, rerun
number; a step may say what stands in its place. A fallback and an undo are other work: theirs has a word behind it.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from workflows_app.engine.errors import ExpressionError
from workflows_app.engine.states import Role

LONGEST = 200
"""Characters of a key that a step says itself, without the word of a fallback or an undo."""
_BEHIND = {Role.ACTION: "", Role.FALLBACK: ":fallback", Role.COMPENSATION: ":undo"}


def checked(value: Any) -> str:
    """Return what a step's ``idempotency_key`` came to.

    Raises:
        ExpressionError: it is no text of 1 to 200 printable characters.

    >>> checked("order-7")
    'order-7'
    """
    if not isinstance(value, str) or not (0 < len(value) <= LONGEST and value.isprintable()):
        what = f"idempotency_key must come to a text of 1 to {LONGEST} printable characters, not {value!r}"
        raise ExpressionError(what[:200])
    return value


def of(instance_id: UUID | str, path: str, own: str | None, role: Role) -> str:
    """Return the key of all attempts that a step makes in one role.

    Args:
        own: what the step's ``idempotency_key`` came to when it was scheduled; ``None``: it says nothing.

    >>> of("7f", "each[3].pay", None, Role.ACTION), of("7f", "pay", "order-7", Role.COMPENSATION)
    ('7f:each[3].pay:0', 'order-7:undo')
    """
    return (default(instance_id, path) if own is None else own) + _BEHIND[role]


def default(instance_id: UUID | str, path: str, rerun: int = 0) -> str:
    """Return the key of a step that says nothing of one.

    >>> default("7f", "pay", 2)
    '7f:pay:2'
    """
    return f"{instance_id}:{path}:{rerun}"


def rerun(key: str, number: int) -> str:
    """Return what a key that a step says itself becomes when the step runs again: other work, with a key of its own.

    >>> rerun("order-7", 0), rerun("order-7", 2)
    ('order-7', 'order-7:2')
    """
    return f"{key}:{number}" if number else key
