"""Publishing: a document becomes a version that never changes, once, whoever publishes it, however often."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db import connection

from workflows_app.engine.errors import Conflict
from workflows_app.services import audit
from workflows_app.services.contents import content_hash, parse_version


def keep(
    holder: Any,
    *,
    kind: str,
    called: str,
    name: str,
    version: str,
    document: dict[str, Any],
    text: str | bytes,
    actor: str,
    more: Callable[[], Mapping[str, Any]] = dict,
) -> Any:
    """Store a sound document as a version, in the caller's transaction.

    Args:
        holder: the model whose rows have a ``name`` and ``versions``.
        kind: what it is in the audit trail and in the lock, ``definition`` for one.
        called: how a refusal names it, before the version.
        name: of the row.
        version: of the document.
        document: as it is to be stored.
        text: as it was published.
        actor: who publishes.
        more: gives what else the version has; asked only where it is new.

    Returns:
        The version; the existing one if identical content was published before.

    Raises:
        Conflict: with code VERSION_EXISTS: another content stands under this version already.
    """
    digest = content_hash(document)
    with connection.cursor() as cursor:
        # Two publications of one name at once: the second sees what the first stored.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"{kind}:{name}"])
    row, _ = holder.objects.get_or_create(name=name)
    existing = row.versions.filter(version=version).first()
    if existing is not None:
        if existing.content_hash != digest:
            raise Conflict(
                f"{called} {version} is published with other content; "
                "a published version never changes, so give this one a new number",
                code="VERSION_EXISTS",
            )
        return existing
    major, minor, patch, prerelease = parse_version(version)
    made = row.versions.create(
        version=version,
        major=major,
        minor=minor,
        patch=patch,
        prerelease=prerelease,
        document=document,
        source=text if isinstance(text, str) else text.decode(),
        content_hash=digest,
        published_by=actor[:150],
        **more(),
    )
    audit.record(actor=actor, action=f"{kind}.published", target=f"{name} {version}", data={"content_hash": digest})
    return made
