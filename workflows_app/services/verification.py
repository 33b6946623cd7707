"""Verification: the chain under every history, and whether a history folds to the state that is stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.events import Event, EventType
from workflows_app.engine.fold import State
from workflows_app.engine.graph import Graph
from workflows_app.engine.replay import differences, replay
from workflows_app.engine.snapshot import AttemptSnapshot
from workflows_app.engine.states import AttemptState, Role
from workflows_app.models import Attempt, AuditEntry, Instance, Step
from workflows_app.models import Event as EventRow
from workflows_app.services import graphs, purge_checkpoints, slices


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The first thing wrong with one history; ``sequence`` is 0 where it concerns the whole."""

    target: str
    sequence: int
    reason: str

    def __str__(self) -> str:
        place = f" at entry {self.sequence}" if self.sequence else ""
        return f"{self.target}{place}: {self.reason}"


def instance_ids() -> Iterator[UUID]:
    """Yield every instance's id in order, in batches of short queries."""
    last: UUID | None = None
    while True:
        page = Instance.objects.order_by("pk")
        if last is not None:
            page = page.filter(pk__gt=last)
        batch = list(page.values_list("pk", flat=True)[:500])
        if not batch:
            return
        yield from batch
        last = batch[-1]


def verify_history(instance_id: UUID) -> Fault | None:
    """Walk one instance's chain: no gap, every hash fits, and the head is the one that the instance keeps."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT sequence, head_hash FROM workflows_app_instance WHERE id = %s FOR SHARE", [instance_id])
        length, head = cursor.fetchone()
        cursor.execute(
            "SELECT sequence, wf_event_text(instance_id, sequence, type, step, at, actor, data), hash "
            "FROM workflows_app_event WHERE instance_id = %s ORDER BY sequence",
            [instance_id],
        )
        return _walk(f"instance {instance_id}", cursor.fetchall(), int(length), bytes(head))


def verify_audit() -> Fault | None:
    """Walk the audit trail's chain. Its tail can only be missed against a head noted elsewhere (``audit_head``)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sequence, wf_audit_text(sequence, at, actor, action, target, data), hash "
            "FROM workflows_app_auditentry ORDER BY sequence"
        )
        return _walk("audit trail", cursor.fetchall(), None, None)


def verify_checkpoints() -> list[Fault]:
    """Check the signature of every checkpoint that a purge has left on the audit trail."""
    entries = AuditEntry.objects.filter(action=purge_checkpoints.ACTION).order_by("sequence")
    reason = "the signature of this checkpoint is not this installation's"
    return [
        Fault(target="audit trail", sequence=entry.sequence, reason=reason)
        for entry in entries.iterator()
        if not purge_checkpoints.holds(entry.data, actor=entry.actor)
    ]


def audit_head() -> tuple[int, str]:
    """Return the length and the head hash (hexadecimal) of the audit trail: worth noting outside the database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT sequence, hash FROM workflows_app_auditentry ORDER BY sequence DESC LIMIT 1")
        row = cursor.fetchone()
    return (0, "") if row is None else (int(row[0]), bytes(row[1]).hex())


def contains_audit_head(sequence: int, head: str) -> bool:
    """Say whether the trail still has the entry that was its head when it was noted."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT hash FROM workflows_app_auditentry WHERE sequence = %s", [sequence])
        row = cursor.fetchone()
    return row is not None and bytes(row[0]).hex() == head


def _walk(target: str, rows: list[Any], length: int | None, head: bytes | None) -> Fault | None:
    before = b""
    for expected, (sequence, text, stored) in enumerate(rows, start=1):
        if sequence != expected:
            return Fault(target=target, sequence=expected, reason="this entry is missing")
        before = hashlib.sha256(before + text.encode()).digest()
        if before != bytes(stored):
            return Fault(target=target, sequence=expected, reason="the entry was altered: its hash does not fit")
    if length is not None and length != len(rows):
        return Fault(target=target, sequence=len(rows) + 1, reason=f"the tail is missing: {length} were recorded")
    if head is not None and head != before:
        return Fault(target=target, sequence=0, reason="the head kept with the instance does not fit the chain")
    return None


def check_replay(instance_id: UUID) -> list[str]:
    """Fold an instance's history and return every difference to what is stored; an empty list is what must be."""
    with transaction.atomic():
        rows = Instance.objects.select_for_update().only("definition_version_id", "overrides", "workflow")
        row = rows.get(pk=instance_id)
        graph = graphs.of_row(row)
        paths = Step.objects.filter(instance_id=instance_id).values_list("path", flat=True)
        slice_, _ = slices.load(instance_id, graph, [], paths, with_input=True)
        stored = State(graph, slice_.instance, slice_.steps)
        stored.attempts = {
            (row.path, row.number): AttemptSnapshot(
                step=row.path,
                number=row.number,
                role=Role(row.role),
                state=AttemptState(row.state),
                worker=row.worker,
                error=row.error,
                started_at=row.started_at,
                ended_at=row.ended_at,
            )
            for row in Attempt.objects.filter(instance_id=instance_id)
        }
        events = [
            Event(
                sequence=row.sequence,
                type=EventType(row.type),
                step=row.step,
                at=row.at,
                data=row.data,
                actor=row.actor,
            )
            for row in EventRow.objects.filter(instance_id=instance_id).order_by("sequence")
        ]
        try:
            replayed = replay(_first(events, graph), slice_.instance, events, partial(graphs.of_name, row.workflow))
            return differences(replayed, stored) + _unattended(instance_id)
        except OrchestratorError as broken:
            return [broken.message]


def _first(events: list[Event], graph: Graph) -> Graph:
    """Return the graph of the version that an instance was started with, where it is on ``graph`` now."""
    migrated = (event.data["from"] for event in events if event.type is EventType.INSTANCE_MIGRATED)
    version = next(migrated, None)
    return graph if version is None else graphs.of_name(graph.definition.name, version)


def _unattended(instance_id: UUID) -> list[str]:
    """Name what nothing will ever move: an open step needs a dispatch, an attempt, a timer or open children.

    A pending instance needs a place in the row for a slot, or a notice that it is to start.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT path, state, reason FROM wf_unattended(%s)", [instance_id])
        rows = cursor.fetchall()
    return [f"{f'step {path}' if path else 'the instance'} is {state}, but {reason}" for path, state, reason in rows]
