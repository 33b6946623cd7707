"""Slots: starting instances under a limit of concurrency, and going on with the next when one has ended.

Who runs is decided in the database (``33_slots.sql``): an ending hands its slot over in its own transaction. What is
left to do after the commit is to start the instance that got it. The process that caused the ending does that at once;
should it die before, the sweeper finds the granted slot.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from workflows_app.engine import expressions
from workflows_app.engine.definition import Definition
from workflows_app.engine.errors import InputInvalid, OrchestratorError, Problem

log = logging.getLogger(__name__)

KEY_LENGTH = 200
"""The most characters that a key may have."""
AT_ONCE = 20
"""Instances that a process starts in the wake of one ending; the sweeper starts the rest."""
PARKED_SECONDS = 60.0
"""How long an instance is left alone that an unexpected error keeps from starting."""

_here = threading.local()


def key_of(definition: Definition, input: Any) -> str | None:
    """Evaluate a concurrency key.

    Args:
        input: the valid input of the instance to start.

    Returns:
        ``None`` where the definition has no limit; empty where all its instances count as one. Numbers and booleans are
        written as JSON, so that 4711 and "4711" are the same key.

    Raises:
        InputInvalid: with code CONCURRENCY_KEY: the expression fails for this input, or its value is no key.
    """
    limit = definition.concurrency
    if limit is None or limit.key is None:
        return None if limit is None else ""
    try:
        value = expressions.compile_value(limit.key).evaluate({"input": input})
    except OrchestratorError as problem:
        raise _refused(f"the concurrency key cannot be evaluated: {problem.message}") from problem
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, str | int | float):
        raise _refused("the concurrency key must be text, a number or a boolean")
    key = value if isinstance(value, str) else json.dumps(value)
    if not (len(key) <= KEY_LENGTH and key.isprintable()):
        raise _refused(f"the concurrency key must be at most {KEY_LENGTH} printable characters")
    return key


def _refused(message: str) -> InputInvalid:
    problem = Problem(code="CONCURRENCY_KEY", path="concurrency.key", message=message)
    return InputInvalid(message, code="CONCURRENCY_KEY", problems=[problem])


def queue(*, instance_id: UUID, workflow: str, key: str, limit: int) -> bool:
    """Queue a new instance up in the caller's transaction; return whether it may start at once."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT wf_slot_queue(%s, %s, %s, %s)", [instance_id, workflow, key, limit])
        return bool(cursor.fetchone()[0])


def take(instance_id: UUID) -> bool:
    """Lock a pending instance and take its granted slot in the caller's transaction; ``False`` if there is none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT wf_slot_take(%s)", [instance_id])
        return bool(cursor.fetchone()[0])


def go_on_after_commit(workflow: str, begin: Callable[[UUID], bool]) -> None:
    """Once the transaction at hand has committed, start what got a slot by it."""
    # A lambda: Django's report of a failed hook asks for its __qualname__, which a partial lacks.
    transaction.on_commit(lambda: start_granted(begin, workflow=workflow, limit=AT_ONCE), robust=True)


def start_granted(begin: Callable[[UUID], bool], *, workflow: str | None = None, limit: int) -> int:
    """Start instances that got a slot, the longest granted first, each in its own transaction.

    Args:
        begin: starts one; returns whether it did.
        workflow: only of this one.
        limit: how many at most.

    Returns:
        how many were started.
    """
    if getattr(_here, "busy", False):
        # One that was just started has ended at once: the call further down this stack goes on with the next.
        return 0
    _here.busy = True
    try:
        return _start_granted(begin, workflow, limit)
    finally:
        _here.busy = False


def _start_granted(begin: Callable[[UUID], bool], workflow: str | None, limit: int) -> int:
    started = 0
    seen: set[UUID] = set()
    while started < limit:
        fresh = [found for found in _granted(workflow, limit) if found not in seen]
        if not fresh:
            break
        for instance_id in fresh[: limit - started]:
            seen.add(instance_id)
            try:
                started += begin(instance_id)
            except Exception:
                if not connection.is_usable():
                    raise
                log.exception("the pending instance %s cannot be started; tried again later", instance_id)
                _park(instance_id)
    return started


def _granted(workflow: str | None, limit: int) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT instance_id FROM wf_slot_granted(%s, %s)", [workflow, limit])
        return [row[0] for row in cursor.fetchall()]


def _park(instance_id: UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT wf_slot_park(%s, %s)", [instance_id, PARKED_SECONDS])
