"""The store: keep content under an instance, open what a reference stands for, delete all of an instance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Sum

from workflows_app.activities.artifacts import OCTETS, Content
from workflows_app.artifacts import admission, backends, references
from workflows_app.artifacts.backends import Backend
from workflows_app.artifacts.references import Reference
from workflows_app.artifacts.refusals import missing, refusal
from workflows_app.artifacts.staging import Staged, pieces, staged
from workflows_app.artifacts.verified import VerifiedContent
from workflows_app.engine.errors import NotFound, StateForbids
from workflows_app.models import Artifact, Instance

Answer = TypeVar("Answer")


def nothing() -> None:
    """The look at the stop request of somebody whom nobody stops."""


def store(
    content: Content,
    *,
    instance_id: UUID,
    step: str,
    name: str,
    media_type: str = OCTETS,
    check: Callable[[], None] = nothing,
) -> Reference:
    """Keep content under an instance; the same content again is kept once.

    Args:
        content: what to keep.
        instance_id: the instance, which has not ended.
        step: path of the step that wrote it.
        name: what people call it; data, never a path.
        media_type: ``type/subtype``.
        check: called between pieces; raises to give up.

    Returns:
        The reference; the content is durable by then.

    Raises:
        ActivityError: ARTIFACT_TOO_LARGE, ARTIFACTS_FULL, ARTIFACTS_NOT_ALLOWED, ARTIFACT_INVALID,
            ARTIFACT_NOT_ALLOWED if the instance has ended; DISK_FULL, ARTIFACTS_FAILED (recoverable).
    """
    references.check_words(name, media_type)
    backend = backends.chosen()

    def checked() -> Iterator[bytes | memoryview]:
        for piece in pieces(content):
            check()
            yield piece

    with staged(backend.staging, checked(), limit=max_bytes()) as ready:
        row = Artifact(
            instance_id=instance_id,
            digest=ready.digest,
            size=ready.size,
            name=name,
            media_type=media_type,
            step=step,
        )
        _with_database(lambda: _keep(backend, ready, row))
    return Reference(digest=ready.digest, instance=instance_id, size=ready.size, media_type=media_type, name=name)


def open(value: Any, *, reader: UUID, check: Callable[[], None] = nothing) -> VerifiedContent:
    """Open what a reference stands for, on behalf of an instance.

    Args:
        value: the JSON object.
        reader: the instance that reads.
        check: called between pieces; raises to give up.

    Returns:
        The content piece by piece.

    Raises:
        ActivityError: ARTIFACT_INVALID, ARTIFACT_NOT_ALLOWED, ARTIFACT_NOT_FOUND, ARTIFACTS_NOT_ALLOWED; while it is
            read ARTIFACT_DAMAGED, ARTIFACTS_FAILED.
    """
    found = references.parse(value)

    def admitted() -> Artifact | None:
        if not admission.may_read(reader, found.instance, value["signature"]):
            raise references.not_allowed("it belongs to another instance and did not come in by input or event")
        return Artifact.objects.filter(instance_id=found.instance, digest=found.digest).first()

    row = _with_database(admitted)
    if row is None:
        raise missing()
    return content(row, check=check)


def content(row: Artifact, *, check: Callable[[], None] = nothing) -> VerifiedContent:
    """The content of an artifact on behalf of somebody who may read it.

    Raises:
        ActivityError: as ``open``, but for what is said of references.
    """
    file = backends.chosen().open(row.instance_id, row.digest)
    return VerifiedContent(file, size=row.size, digest=row.digest, check=check)


def delete_of(instance_id: UUID) -> int:
    """Delete all artifacts of an instance that has ended; references to them lead nowhere then.

    Returns:
        How many there were.

    Raises:
        NotFound: with code INSTANCE_NOT_FOUND.
        StateForbids: with code INSTANCE_OPEN if it has not ended.
        ActivityError: ARTIFACTS_FAILED, ARTIFACTS_NOT_ALLOWED; what is left is known still.
    """
    with transaction.atomic():
        _lock(instance_id)
        instance = Instance.objects.filter(pk=instance_id).only("ended_at").first()
        if instance is None:
            raise NotFound(f"there is no instance {instance_id}", code="INSTANCE_NOT_FOUND")
        if instance.ended_at is None:
            raise StateForbids("the artifacts of an instance are deleted after its end", code="INSTANCE_OPEN")
        backends.chosen().remove_all(instance_id)
        return Artifact.objects.filter(instance_id=instance_id).delete()[0]


def max_bytes() -> int:
    """How many bytes one artifact may have."""
    return int(settings.ORCHESTRATOR_ARTIFACT_MAX_BYTES)


def _keep(backend: Backend, ready: Staged, row: Artifact) -> None:
    """Put staged content in its place and record it, if there is room."""
    with transaction.atomic():
        _lock(row.instance_id)
        if not Instance.objects.filter(pk=row.instance_id, ended_at=None).exists():
            raise references.not_allowed("the instance has ended")
        known = Artifact.objects.filter(instance_id=row.instance_id, digest=row.digest).exists()
        if not known:
            _demand_room(row.instance_id, row.size)
        # Also where it is known: content that was damaged or lost is whole again.
        backend.place(row.instance_id, ready)
        if not known:
            row.pk = None
            row.save(force_insert=True)


def _with_database(ask: Callable[[], Answer]) -> Answer:
    """Ask the database; once more over a new connection if the old one broke, as it may have while content came in.

    Raises:
        ActivityError: ARTIFACTS_FAILED (recoverable) if it does not answer then either; what ``ask`` raises.
    """
    try:
        return ask()
    except (OperationalError, InterfaceError):
        if connection.in_atomic_block:
            raise
        connection.close()
    try:
        return ask()
    except (OperationalError, InterfaceError) as error:
        raise refusal("ARTIFACTS_FAILED", "The database does not answer.", recoverable=True) from error


def _lock(instance_id: UUID) -> None:
    """One writer or deleter of an instance's artifacts at a time; the instance's row stays free for its steps."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"artifacts:{instance_id}"])


def _demand_room(instance_id: UUID, size: int) -> None:
    limit = int(settings.ORCHESTRATOR_ARTIFACTS_MAX_BYTES)
    kept = Artifact.objects.filter(instance_id=instance_id).aggregate(total=Sum("size"))["total"] or 0
    if kept + size > limit:
        raise refusal(
            "ARTIFACTS_FULL",
            f"The instance keeps {kept} bytes of artifacts; {size} more would exceed {limit}.",
            kept=int(kept),
            size=size,
            limit=limit,
        )
