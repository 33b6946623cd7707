"""Beginnings: an instance that was created before, by its plan or by its caller, begins, or queues up for a slot."""

from __future__ import annotations

from uuid import UUID

from workflows_app.engine.definition import Definition
from workflows_app.engine.errors import InputInvalid
from workflows_app.engine.states import InstanceState
from workflows_app.engine.transitions import Accept, Cancel, Occurrence
from workflows_app.models import Hold, Instance
from workflows_app.services import slots


def of(instance_id: UUID, definition: Definition, at_once: Occurrence) -> Occurrence | None:
    """Say how an instance begins: at once, or, where its workflow has a limit, when it gets a slot.

    Args:
        instance_id: the caller holds its row.
        definition: that of its version.
        at_once: what happens to it where nothing is to be awaited.

    Returns:
        ``None`` where there is nothing to begin any more: a slot that was taken for it then would never come back.
    """
    if definition.concurrency is None:
        return at_once
    found = Instance.objects.only("state", "input", "correlation_id", "started_by", "concurrency_key").get(
        pk=instance_id
    )
    if found.state != InstanceState.PENDING or found.concurrency_key is not None:
        return None
    try:
        key = slots.key_of(definition, found.input)
    except InputInvalid as problem:
        return Cancel(actor="engine", reason=problem.message)
    limit, key = definition.concurrency.limit, key or ""
    Instance.objects.filter(pk=instance_id).update(concurrency_key=key)
    if slots.queue(instance_id=instance_id, workflow=definition.name, key=key, limit=limit):
        return at_once
    return Accept(input=found.input, correlation_id=found.correlation_id, actor=found.started_by, key=key, limit=limit)


def is_held(instance_id: UUID) -> bool:
    """Whether an operator holds the instance's workflow, or everything: then nothing of it is started."""
    holds = Hold.objects.filter(kind__in=("all", "definition"))
    names = {hold.name for hold in holds}
    return bool(names) and ("" in names or Instance.objects.filter(pk=instance_id, workflow__in=names).exists())
