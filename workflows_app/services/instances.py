"""Instances: start, cancel, terminate."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection, transaction

from workflows_app.engine import schemas, stored, values
from workflows_app.engine.errors import Conflict, InputInvalid, NotFound, OrchestratorError, Problem
from workflows_app.engine.graph import Graph
from workflows_app.engine.snapshot import InstanceSnapshot
from workflows_app.engine.transitions import Cancel, Slice, Start, Terminate, decide
from workflows_app.models import Instance
from workflows_app.services import audit, decisions, definitions, graphs

KEY_LENGTH = 200
REASON_BYTES = 2000


def start(
    *,
    name: str,
    actor: str,
    version: str | None = None,
    input: Any = None,
    correlation_id: str | None = None,
    idempotency_key: str | None = None,
) -> Instance:
    """Start an instance of a published version.

    Args:
        name: the workflow.
        actor: who starts it.
        version: semantic version; the highest startable one if left out.
        input: JSON value that meets the definition's input schema; ``None`` stands for an empty mapping.
        correlation_id: groups instances and matches events; the instance's id if left out.
        idempotency_key: a second start of the workflow with the same key returns the first instance.

    Returns:
        The instance, running; its first steps are dispatched when the transaction commits.

    Raises:
        NotFound: no such workflow or version.
        InputInvalid: with every problem of the input; nothing is stored.
        Conflict: the idempotency key was used with another input.
    """
    version_id, number, now = _startable(name, version)
    graph = graphs.of_version(version_id)
    value = {} if input is None else input
    _check_keys(correlation_id=correlation_id, idempotency_key=idempotency_key)
    encoded = _check_input(value, graph.definition.input_schema)
    value = stored.as_stored(encoded)
    started = _start(version_id, number, now, graph, value, encoded, correlation_id, idempotency_key, actor[:150])
    return started or _existing(name, idempotency_key or "", encoded)


def _startable(name: str, version: str | None) -> tuple[int, str, datetime]:
    """Return the version to start: its primary key and number, and the database's time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, version, now FROM wf_startable(%s, %s)", [name, version])
        row = cursor.fetchone()
    if row is None:
        definitions.find(name=name, version=version)  # says what is missing
        raise NotFound(f"{name} has no version that may be started", code="VERSION_NOT_FOUND")
    return row[0], row[1], row[2]


def _check_keys(**keys: str | None) -> None:
    for label, key in keys.items():
        if key is not None and not (0 < len(key) <= KEY_LENGTH and key.isprintable()):
            raise InputInvalid(
                f"{label} must be 1 to {KEY_LENGTH} printable characters",
                problems=[Problem(code="INVALID_KEY", path=label, message=f"1 to {KEY_LENGTH} printable characters")],
            )


def _check_input(value: Any, schema: Any) -> str:
    try:
        encoded = values.encode(value, limit_bytes=settings.ORCHESTRATOR_MAX_INPUT_BYTES, what="the input")
    except OrchestratorError as refused:
        problem = Problem(code=refused.code, path="input", message=refused.message)
        raise InputInvalid(refused.message, code=refused.code, problems=[problem]) from refused
    problems = schemas.validate(value, schema, path="input") if schema is not None else []
    if problems:
        raise InputInvalid(f"the input has {len(problems)} problem(s)", problems=problems)
    return encoded


def _start(
    version_id: int,
    number: str,
    now: datetime,
    graph: Graph,
    value: Any,
    encoded: str,
    correlation_id: str | None,
    idempotency_key: str | None,
    actor: str,
) -> Instance | None:
    """Decide and record in one statement; ``None`` if the key is taken (waits for a start in progress to commit)."""
    key = uuid4()
    blank = InstanceSnapshot(id=str(key), workflow=graph.definition.name, version=number, input=value)
    slice_ = Slice(graph=graph, instance=blank, whole=True, limit_bytes=settings.ORCHESTRATOR_MAX_OUTPUT_BYTES)
    with connection.cursor() as cursor:
        decision = decide(slice_, Start(input=value, correlation_id=correlation_id or str(key), actor=actor), now=now)
        cursor.execute(
            "SELECT wf_start(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                key,
                version_id,
                blank.workflow,
                blank.version,
                correlation_id or str(key),
                idempotency_key,
                actor,
                encoded,
                decisions.document(decision, now),
                settings.ORCHESTRATOR_WINDOW,
            ],
        )
        published = cursor.fetchone()[0]
    if published is None:
        return None
    decisions.publish(key, graph, [decisions.dispatch_of(row) for row in stored.loads(published)])
    after = decision.after.instance
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
        idempotency_key=idempotency_key,
        started_by=actor,
        created_at=now,
        started_at=after.started_at,
        ended_at=after.ended_at,
    )


def _existing(name: str, idempotency_key: str, encoded: str) -> Instance:
    existing = Instance.objects.get(workflow=name, idempotency_key=idempotency_key)
    with connection.cursor() as cursor:
        # The database compares: it alone knows which numbers it takes for the same.
        cursor.execute(
            "SELECT input IS NOT DISTINCT FROM %s::jsonb FROM workflows_app_instance WHERE id = %s",
            [encoded, existing.pk],
        )
        same = cursor.fetchone()[0]
    if not same:
        raise Conflict(
            f"the idempotency key {idempotency_key!r} was used with another input, by instance {existing.pk}",
            code="IDEMPOTENCY_CONFLICT",
        )
    return existing


def cancel(*, instance_id: UUID, actor: str, compensate: bool | None = None, reason: str = "") -> Instance:
    """Cancel: nothing new starts, running steps are told to stop, completed ones are undone if so decided.

    Args:
        compensate: overrides the definition's ``on_cancel``.
        reason: kept in the history.

    Raises:
        NotFound, StateForbids.
    """
    return _command(instance_id, Cancel(actor=actor, reason=reason, compensate=compensate), "instance.cancelled")


def terminate(*, instance_id: UUID, actor: str, reason: str = "") -> Instance:
    """End at once: nothing is awaited and nothing is undone.

    Raises:
        NotFound, StateForbids.
    """
    return _command(instance_id, Terminate(actor=actor, reason=reason), "instance.terminated")


@transaction.atomic
def _command(instance_id: UUID, command: Cancel | Terminate, action: str) -> Instance:
    try:
        values.encode(command.reason, limit_bytes=REASON_BYTES, what="the reason")
    except OrchestratorError as refused:
        problem = Problem(code=refused.code, path="reason", message=refused.message)
        raise InputInvalid(refused.message, code=refused.code, problems=[problem]) from refused
    decisions.take(instance_id=instance_id, occurrence=command)
    audit.record(actor=command.actor, action=action, target=str(instance_id), data={"reason": command.reason})
    return Instance.objects.get(pk=instance_id)
