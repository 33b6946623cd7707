"""Calls: notices between a called instance and its caller are handed over, each in a transaction of its own.

A decision leaves a notice as a row (start, stop, terminate, undo for the one called; its end for the caller), in its
own transaction and without touching the other instance. After the commit the same process hands it over, or else the
sweep: it locks the one instance that is told, takes the row away, and lets the engine decide. So no transaction ever
holds two instances, and no notice is lost with its process.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import OperationalError, connection, transaction

from workflows_app import failpoints
from workflows_app.engine import stored
from workflows_app.engine.commands import NoticeKind
from workflows_app.engine.definition import Definition
from workflows_app.engine.errors import StateForbids
from workflows_app.engine.graph import Graph
from workflows_app.engine.states import INSTANCE_ENDED, Cause, InstanceState
from workflows_app.engine.transitions import (
    Begin,
    Cancel,
    ChildEnded,
    Compensate,
    Occurrence,
    StaleOccurrence,
    Terminate,
)
from workflows_app.models import Instance, Notice
from workflows_app.services import beginnings, decisions, graphs

log = logging.getLogger(__name__)

MOST_AT_ONCE = 100
"""Notices that one process hands over after a commit before it goes on with its own work; the sweep takes the rest."""
PATIENCE = "1s"
"""How long it waits for an instance that another session holds, before it leaves the notice to the sweep."""


class _Waiting(threading.local):
    """What this thread still has to look at: handing over leaves new notices, and a row of calls needs no recursion."""

    children: deque[UUID] | None = None


_waiting = _Waiting()


def deliver(*, children: list[UUID], **_: Any) -> None:
    """Hand over the notices about these called instances, and those that follow from them; receives ``notices_left``.

    What goes wrong is logged and left to the sweep: the outcome that led to a notice is committed already.
    """
    failpoints.hit("notice.committed")
    if _waiting.children is not None:
        _waiting.children.extend(children)
        return
    _waiting.children = deque(children)
    handed = 0
    try:
        while _waiting.children and handed < MOST_AT_ONCE:
            child = _waiting.children.popleft()
            for key in Notice.objects.filter(child=child).order_by("id").values_list("id", flat=True):
                hand_over(key)
                handed += 1
    except OperationalError as busy:
        log.info("a notice between instances is left to the sweep: %s", busy)
    except Exception:
        log.exception("a notice between instances is left to the sweep")
    finally:
        _waiting.children = None


def due(limit: int) -> list[tuple[int, str]]:
    """Return the keys of up to ``limit`` notices that are due, the oldest first, with what they are about."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, kind, child FROM workflows_app_notice WHERE due_at <= wf_clock() ORDER BY due_at, id LIMIT %s",
            [limit],
        )
        return [(key, f"the notice {kind} of {child}") for key, kind, child in cursor.fetchall()]


def park(key: int, pause: timedelta) -> None:
    """Leave a notice that cannot be handed over alone for a while, so that it does not hold up the others."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE workflows_app_notice SET due_at = wf_clock() + %s * interval '1 second' WHERE id = %s",
            [pause.total_seconds(), key],
        )


def hand_over(key: int, *, wait: bool = True) -> bool:
    """Hand over one notice.

    Args:
        key: of its row.
        wait: whether to wait for an instance that another session holds; otherwise its notice stays.

    Returns:
        Whether the instance that was told did anything about it.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT CASE n.kind WHEN 'ended' THEN c.parent_id ELSE n.child END, set_config('lock_timeout', %s, true) "
            "FROM workflows_app_notice n LEFT JOIN workflows_app_instance c ON c.id = n.child WHERE n.id = %s",
            [PATIENCE, key],
        )
        target = cursor.fetchone()
        if target is None:
            return False
        lock = "SELECT definition_version_id, overrides::text FROM workflows_app_instance WHERE id = %s FOR UPDATE"
        cursor.execute(lock if wait else f"{lock} SKIP LOCKED", [target[0]])
        found = cursor.fetchone()
        if found is None and Instance.objects.filter(pk=target[0]).exists():
            return False
        # The row is the ticket: taken by another session in between, there is nothing to hand over any more.
        cursor.execute("DELETE FROM workflows_app_notice WHERE id = %s RETURNING child, kind, data::text", [key])
        notice = cursor.fetchone()
        if notice is None or found is None:
            return False
        child, kind, data = notice
        return _tell(target[0], graphs.of_instance(*found), child, NoticeKind(kind), data)


def _tell(target: UUID, graph: Graph, child: UUID, kind: NoticeKind, data: Any) -> bool:
    occurrence = _occurrence(child, kind, stored.loads(data), graph.definition)
    if occurrence is None:
        return False
    ended = isinstance(occurrence, ChildEnded)
    try:
        decisions.take(
            instance_id=target,
            occurrence=occurrence,
            about=occurrence.step if isinstance(occurrence, ChildEnded) else None,
            actor=f"instance:{child}" if ended else "engine",
            graph=graph,
        )
    except (StaleOccurrence, StateForbids) as nothing:
        # It has ended, or is ending already: its own end will be told, if anybody waits for it.
        log.info("the notice %s of %s has nothing to do: %s", kind, child, nothing.message)
        return False
    return True


def _occurrence(child: UUID, kind: NoticeKind, data: Mapping[str, Any], definition: Definition) -> Occurrence | None:
    """Say what a notice means to the instance that is told."""
    actor, reason = f"instance:{data.get('by')}", data.get("reason", "")
    match kind:
        case NoticeKind.START:
            unwanted = Notice.objects.filter(child=child, kind__in=[NoticeKind.STOP, NoticeKind.TERMINATE])
            return None if unwanted.exists() else beginnings.of(child, definition, Begin())
        case NoticeKind.STOP:
            return Cancel(actor=actor, reason=reason, compensate=data["compensate"])
        case NoticeKind.TERMINATE:
            return Terminate(actor=actor, reason=reason)
        case NoticeKind.UNDO:
            return Compensate(actor=actor, reason=reason, cause=Cause(data["cause"]))
        case NoticeKind.ENDED:
            return _end_of(child)


def _end_of(child: UUID) -> ChildEnded | None:
    """Read how an instance ended, ``None`` if an operator has taken that back: another end will be told.

    It is not locked: what has ended changes only if its caller or an operator says so, and then ends once more.
    """
    found = Instance.objects.only("parent_path", "state", "cause", "output", "error").get(pk=child)
    if found.state not in INSTANCE_ENDED:
        return None
    return ChildEnded(
        step=found.parent_path or "",
        child=str(child),
        state=InstanceState(found.state),
        cause=Cause(found.cause) if found.cause else None,
        output=found.output,
        error=found.error,
    )
