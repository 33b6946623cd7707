"""Holds: an operator pauses a whole workflow, a queue, or everything, and lets it go on.

A row says so, and every worker and starter reads it: no step is begun that it is about, and a held workflow is not
started. What waits for a worker stays where it is, and is published again when it is let go.
"""

from __future__ import annotations

from enum import StrEnum

from django.db import connection, transaction

from workflows_app.engine.errors import InputInvalid, NotFound, Problem, StateForbids
from workflows_app.models import Definition, Hold
from workflows_app.services import audit, interventions

NAME_LENGTH = 100


class Kind(StrEnum):
    """What is held."""

    DEFINITION = "definition"
    QUEUE = "queue"
    ALL = "all"


@transaction.atomic
def hold(*, kind: Kind, name: str = "", actor: str, reason: str = "") -> Hold:
    """Let no worker begin a step of a workflow, from a queue, or at all.

    Args:
        name: the workflow or the queue; empty for ``Kind.ALL``.

    Raises:
        NotFound: WORKFLOW_NOT_FOUND.
        InputInvalid: no name of a queue, or a reason that cannot be stored.
        StateForbids: it is held already.
    """
    interventions.check_reason(reason)
    _check(kind, name)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO workflows_app_hold (kind, name, actor, reason, since) VALUES (%s, %s, %s, %s, wf_clock()) "
            "ON CONFLICT DO NOTHING",
            [kind, name, actor[:200], reason],
        )
        made = cursor.rowcount
        cursor.execute("SELECT wf_hold_back()")
    found = Hold.objects.get(kind=kind, name=name)
    if not made:
        raise StateForbids(f"{_what(kind, name)} is paused already, by {found.actor}")
    audit.record(actor=actor, action=f"{kind}.paused", target=name or "all", data={"reason": reason})
    return found


@transaction.atomic
def release(*, kind: Kind, name: str = "", actor: str, reason: str = "") -> None:
    """Let what was held go on: the sweeper publishes what waits.

    Raises:
        StateForbids: it is not held.
        InputInvalid: a reason that cannot be stored.
    """
    interventions.check_reason(reason)
    removed, _ = Hold.objects.filter(kind=kind, name=name).delete()
    if not removed:
        raise StateForbids(f"{_what(kind, name)} is not paused")
    audit.record(actor=actor, action=f"{kind}.resumed", target=name or "all", data={"reason": reason})


def forbid_start(workflow: str) -> None:
    """Refuse the start of a workflow that is held.

    Raises:
        StateForbids: with code PAUSED, and who paused it.
    """
    rows = Hold.objects.filter(kind__in=[Kind.ALL, Kind.DEFINITION], name__in=["", workflow]).order_by("id")
    for found in rows:
        why = f": {found.reason}" if found.reason else ""
        what = _what(Kind(found.kind), found.name)
        raise StateForbids(f"{what} is paused by {found.actor}{why}; start it when it goes on", code="PAUSED")


def _check(kind: Kind, name: str) -> None:
    if kind is Kind.DEFINITION and not Definition.objects.filter(name=name).exists():
        raise NotFound(f"there is no workflow {name[:100]!r}", code="WORKFLOW_NOT_FOUND")
    if kind is Kind.QUEUE and not (0 < len(name) <= NAME_LENGTH and name.isprintable()):
        words = f"must be 1 to {NAME_LENGTH} printable characters"
        problem = Problem(code="INVALID_QUEUE", path="queue", message=words)
        raise InputInvalid(f"the queue {words}", code="INVALID_QUEUE", problems=[problem])


def _what(kind: Kind, name: str) -> str:
    return {Kind.DEFINITION: f"the workflow {name}", Kind.QUEUE: f"the queue {name}", Kind.ALL: "everything"}[kind]
