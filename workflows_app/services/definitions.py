"""Definitions: validate a document, publish a version, find the version that a start takes."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from workflows_app.activities import registry
from workflows_app.engine import definition
from workflows_app.engine.errors import Conflict, DefinitionInvalid, NotFound, Problem
from workflows_app.engine.graph import Graph
from workflows_app.engine.verifier import verify
from workflows_app.models import Definition, DefinitionVersion
from workflows_app.services import audit

SEMANTIC_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")


def check(*, text: str | bytes) -> tuple[definition.Definition | None, list[Problem]]:
    """Parse and verify a document.

    Args:
        text: YAML or JSON.

    Returns:
        The definition (``None`` where it cannot be parsed) and every problem found, warnings included.
    """
    try:
        parsed = definition.parse(definition.load(text, limit_bytes=settings.ORCHESTRATOR_MAX_DOCUMENT_BYTES))
    except DefinitionInvalid as refused:
        return None, list(refused.problems)
    registry.discover()
    return parsed, verify(parsed, activities=registry.infos())


def validate(*, text: str | bytes) -> list[Problem]:
    """Return every problem of a document; it is sound if none has severity ``error``."""
    return check(text=text)[1]


@transaction.atomic
def publish(*, text: str | bytes, actor: str) -> DefinitionVersion:
    """Publish a document as a version that never changes.

    Args:
        text: YAML or JSON.
        actor: who publishes.

    Returns:
        The version; the existing one if identical content was published before.

    Raises:
        DefinitionInvalid: with every problem of severity ``error``; nothing is stored.
        Conflict: another content stands under this version already.
    """
    parsed, problems = check(text=text)
    errors = [p for p in problems if p.severity == "error"]
    if parsed is None or errors:
        raise DefinitionInvalid(f"the definition has {len(errors)} problem(s)", problems=errors)
    document = definition.dump(parsed)
    digest = content_hash(document)
    with connection.cursor() as cursor:
        # Two publications of one name at once: the second sees what the first stored.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"definition:{parsed.name}"])
    row, _ = Definition.objects.get_or_create(name=parsed.name)
    existing = row.versions.filter(version=parsed.version).first()
    if existing is not None:
        if existing.content_hash != digest:
            raise Conflict(
                f"{parsed.name} {parsed.version} is published with other content; "
                "a published version never changes, so give this one a new number",
                code="VERSION_EXISTS",
            )
        return existing
    major, minor, patch, prerelease = parse_version(parsed.version)
    version = row.versions.create(
        version=parsed.version,
        major=major,
        minor=minor,
        patch=patch,
        prerelease=prerelease,
        document=document,
        source=text if isinstance(text, str) else text.decode(),
        content_hash=digest,
        activities=resolve_activities(parsed),
        published_by=actor,
    )
    audit.record(
        actor=actor,
        action="definition.published",
        target=f"{parsed.name} {parsed.version}",
        data={"content_hash": digest},
    )
    return version


def resolve_activities(parsed: definition.Definition) -> dict[str, Any]:
    """Return what each activity name without a version stands for now: kept with the version, used for ever."""
    resolved: dict[str, Any] = {}
    for node in Graph(parsed).nodes.values():
        undo = node.step.compensate
        for name in (getattr(node.step.body, "activity", None), undo.activity if undo else None):
            if name and "@" not in name:
                found = registry.get(name)
                resolved[name] = {"version": found.version, "timeout": found.timeout}
    return resolved


def content_hash(document: dict[str, Any]) -> str:
    """Return the SHA-256 of a document's canonical JSON, hexadecimal."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def parse_version(version: str) -> tuple[int, int, int, str]:
    """Split a semantic version.

    >>> parse_version("1.10.2-rc.1+build")
    (1, 10, 2, 'rc.1')
    """
    match = SEMANTIC_VERSION.fullmatch(version)
    if match is None:
        raise ValueError(f"not a semantic version: {version}")
    return int(match[1]), int(match[2]), int(match[3]), match[4] or ""


def find(*, name: str, version: str | None = None) -> DefinitionVersion:
    """Return the named version, or the highest that is neither deprecated nor a prerelease.

    Raises:
        NotFound: with code WORKFLOW_NOT_FOUND or VERSION_NOT_FOUND.
    """
    versions = DefinitionVersion.objects.filter(definition__name=name)
    found = versions.startable().first() if version is None else versions.filter(version=version).first()
    if found is not None:
        return found
    known = list(versions.order_by("-major", "-minor", "-patch").values_list("version", flat=True)[:5])
    if not known:
        raise NotFound(f"there is no workflow {name!r}", code="WORKFLOW_NOT_FOUND")
    wanted = "version that may be started" if version is None else f"version {version!r}"
    raise NotFound(f"{name} has no {wanted}; published: {', '.join(known)}", code="VERSION_NOT_FOUND")
