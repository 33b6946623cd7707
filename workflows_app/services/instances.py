"""Instances: start, cancel, terminate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import IntegrityError, connection, transaction

from workflows_app.engine import plain, stored
from workflows_app.engine.definition import Definition
from workflows_app.engine.errors import InputInvalid, NotFound
from workflows_app.engine.snapshot import InstanceSnapshot
from workflows_app.engine.transitions import Accept, Cancel, PlanStart, Slice, Start, Terminate
from workflows_app.engine.transitions.occurrences import NewInstance
from workflows_app.models import DefinitionVersion, Instance
from workflows_app.services import (
    arrivals,
    decisions,
    definitions,
    holds,
    interventions,
    recording,
    slots,
    starting,
)
from workflows_app.services.starting import Asked

NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for the time in decisions that do not depend on it; it is not stored."""


def start(
    *,
    name: str,
    actor: str,
    version: str | None = None,
    input: Any = None,
    correlation_id: str | None = None,
    idempotency_key: str | None = None,
    tags: Sequence[str] = (),
    overrides: Mapping[str, Any] | None = None,
    at: datetime | None = None,
    after: float | None = None,
    instance_id: UUID | None = None,
) -> Instance:
    """Start an instance of a published version.

    Args:
        name: the workflow.
        actor: who starts it.
        version: semantic version; the highest startable one if left out.
        input: JSON value that meets the definition's input schema; ``None`` stands for an empty mapping.
        correlation_id: groups instances and matches events; the instance's id if left out.
        idempotency_key: a second start of the workflow with the same key returns the first instance.
        tags: words to find it by, beside those of its definition.
        overrides: what holds for it in the place of its definition: see ``engine.overrides``.
        at: when it is to begin, aware; ``after``: in how many seconds. At once without either.
        instance_id: its id; a new one if left out.

    Returns:
        The instance, running; its first steps are dispatched when the transaction commits. Pending, where it begins
        later, or where the version has a limit of concurrency and no slot is free.

    Raises:
        NotFound: no such workflow or version.
        InputInvalid: with every problem of the input, the tags, the overrides, the time, the id, or the concurrency key
            that the input leads to; nothing is stored.
        Conflict: the idempotency key was used with another input, other overrides or another id; or the id is taken.
        StateForbids: with code PAUSED; an operator holds the workflow.
    """
    wanted = Asked(
        name=name,
        version=version,
        input={} if input is None else input,
        correlation_id=correlation_id,
        idempotency_key=idempotency_key,
        actor=actor[:150],
        tags=tuple(tags),
        overrides=overrides or None,
        at=at,
        after=after,
        id=instance_id,
    )
    starting.check(wanted)
    if (version_id := _taken.get((name, version))) is not None:
        # What is wrong with a version that is no longer the one to take, or with an input for it, says nothing. After
        # a restore of the database it may not even exist.
        with suppress(_Outdated, InputInvalid, DefinitionVersion.DoesNotExist):
            return _start(wanted, version_id, now=None)
    version_id, now = _startable(name, version)
    _taken[name, version] = version_id
    return _start(wanted, version_id, now=now)


_taken: dict[tuple[str, str | None], int] = {}
"""The version that a start of (workflow, version asked for) took in this process; the database says if it still is."""


class _KeyTaken(Exception):
    """Nothing was stored: there is an instance with the idempotency key."""


class _Outdated(Exception):
    """Nothing was stored: the version to start has to be looked up."""


def _startable(name: str, version: str | None) -> tuple[int, datetime]:
    """Return the primary key of the version to start, and the database's time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, now FROM wf_startable(%s, %s)", [name, version])
        row = cursor.fetchone()
    if row is None:
        definitions.find(name=name, version=version)  # says what is missing
        holds.forbid_start(name)
        raise NotFound(f"{name} has no version that may be started", code="VERSION_NOT_FOUND")
    return row[0], row[1]


def _start(wanted: Asked, version_id: int, *, now: datetime | None) -> Instance:
    """Decide and record in one statement, which waits for another start with the same key to commit.

    Args:
        now: the database's time; ``None`` if it has not been asked: then it sets the time itself, if that can be.

    Raises:
        _Outdated: only without ``now``: the version is not the one to take, or its first decision depends on the time.
    """
    if now is None and wanted.begins_later:
        raise _Outdated
    graph, overridden = starting.graph_of(version_id, wanted.overrides)
    stamped = now is None
    if now is None:
        if not plain.starts(graph):
            raise _Outdated
        now = NO_TIME
    encoded = starting.check_input(wanted.input, graph.definition.input_schema)
    value = stored.as_stored(encoded)
    if wanted.begins_later and wanted.idempotency_key is not None and starting.known(wanted) is not None:
        return starting.existing(wanted, encoded, overridden)  # its time may have come since
    begins_at = starting.moment(now, at=wanted.at, after=wanted.after) if wanted.begins_later else None
    key = wanted.id or uuid4()
    correlation_id = wanted.correlation_id or str(key)
    blank = InstanceSnapshot(id=str(key), workflow=wanted.name, version=graph.definition.version, input=value)
    slice_ = Slice(
        graph=graph,
        instance=blank,
        whole=True,
        complete=True,
        limit_bytes=settings.ORCHESTRATOR_MAX_OUTPUT_BYTES,
        call_depth=settings.ORCHESTRATOR_CALL_DEPTH,
    )
    concurrency_key = slots.key_of(graph.definition, value)
    if begins_at is not None:
        concurrency_key = None  # it has one that is sound, and queues up with it when its time has come
    new = NewInstance(
        input=value, correlation_id=correlation_id, actor=wanted.actor, tags=wanted.tags, overrides=overridden
    )
    try:
        with _together(concurrency_key, wanted.id):
            occurrence = _first(key, graph.definition, concurrency_key, new, begins_at)
            decision = decisions.looked_up(slice_, occurrence, now=now)
            more = {} if concurrency_key is None else {"concurrency_key": concurrency_key}
            concerned = transaction.atomic() if arrivals.concerns(decision) else nullcontext()
            with concerned, connection.cursor() as cursor:
                cursor.execute(
                    "SELECT wf_start(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                    [
                        key,
                        version_id,
                        blank.workflow,
                        blank.version,
                        wanted.version,
                        correlation_id,
                        wanted.idempotency_key,
                        wanted.actor,
                        None,  # the decision's first event has the input
                        recording.document(decision, now, **more),
                        settings.ORCHESTRATOR_WINDOW,
                        stamped,
                    ],
                )
                row = cursor.fetchone()[0]
                if row is None:
                    raise _KeyTaken
                answer = stored.loads(row)
                if "outdated" in answer:
                    raise _Outdated
                woken = arrivals.record(key, decision)
            decisions.publish(key, graph, [decisions.dispatch_of(each) for each in answer["dispatches"]])
            arrivals.hand_over_later(woken, decisions.take)
            decisions.tell(decisions.told(key, decision))
    except _KeyTaken:
        return starting.existing(wanted, encoded, overridden)
    except IntegrityError:
        # An id of one's own: another start took it.
        if wanted.id is None or not Instance.objects.filter(pk=wanted.id).exists():
            raise
        return starting.existing(wanted, encoded, overridden)
    after = decision.after.instance
    at = datetime.fromisoformat(answer["at"])
    return Instance.stored(
        id=key,
        definition_version_id=version_id,
        workflow=after.workflow,
        version=after.version,
        state=after.state.value,
        cause=after.cause.value if after.cause else None,
        ending=after.ending,
        undo=after.undo,
        input=value,
        variables=dict(after.variables),
        output=after.output,
        error=after.error,
        open_steps=after.open_steps,
        sequence=after.sequence,
        correlation_id=after.correlation_id,
        idempotency_key=wanted.idempotency_key,
        concurrency_key=concurrency_key,
        started_by=wanted.actor,
        tags=list(after.tags) or None,
        overrides=overridden,
        created_at=at,
        started_at=at if after.started_at is not None else None,
        ended_at=after.ended_at,
    )


def _together(concurrency_key: str | None, own_id: UUID | None) -> AbstractContextManager[Any]:
    """One transaction where a slot is taken with the start, or where the id may be taken; else the start is one
    statement, which is one already."""
    return nullcontext() if concurrency_key is None and own_id is None else transaction.atomic()


def _first(
    instance_id: UUID,
    definition: Definition,
    concurrency_key: str | None,
    new: NewInstance,
    begins_at: datetime | None,
) -> Start | PlanStart | Accept:
    """What happens to a new instance first: it starts, unless it has to wait for its time or for a slot."""
    given = {field.name: getattr(new, field.name) for field in fields(new)}
    if begins_at is not None:
        return PlanStart(**given, at=begins_at)
    limit = definition.concurrency
    if limit is not None and concurrency_key is not None:
        at_once = slots.queue(instance_id=instance_id, workflow=definition.name, key=concurrency_key, limit=limit.limit)
        if not at_once:
            return Accept(**given, key=concurrency_key, limit=limit.limit)
    return Start(**given)


def cancel(*, instance_id: UUID, actor: str, compensate: bool | None = None, reason: str = "") -> Instance:
    """Cancel: nothing new starts, running steps are told to stop, completed ones are undone if so decided.

    Args:
        compensate: overrides the definition's ``on_cancel``.
        reason: kept in the history.

    Raises:
        NotFound, StateForbids.
    """
    command = Cancel(actor=actor, reason=reason, compensate=compensate)
    return interventions.take(instance_id, command, "instance.cancelled")


def terminate(*, instance_id: UUID, actor: str, reason: str = "") -> Instance:
    """End at once: nothing is awaited and nothing is undone.

    Raises:
        NotFound, StateForbids.
    """
    return interventions.take(instance_id, Terminate(actor=actor, reason=reason), "instance.terminated")
