"""Definitions: validate a document, publish a version, find the version that a start takes."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction

from workflows_app.activities import registry
from workflows_app.engine import definition
from workflows_app.engine.errors import DefinitionInvalid, Problem
from workflows_app.engine.graph import Graph
from workflows_app.engine.verifier import verify
from workflows_app.models import Definition, DefinitionVersion
from workflows_app.services import (
    callbacks,
    callees,
    change_texts,
    decision_tables,
    publishing,
    secrets,
    service_registry,
)
from workflows_app.services.contents import content_hash, parse_version
from workflows_app.services.versions import find

__all__ = ["check", "content_hash", "find", "parse_version", "publish", "resolve_activities", "validate"]


def check(*, text: str | bytes) -> tuple[definition.Definition | None, list[Problem]]:
    """Parse and verify a document.

    Args:
        text: YAML or JSON.

    Returns:
        The definition (``None`` where it cannot be parsed) and every problem found, warnings included.
    """
    return _check(text)[:2]


def _check(text: str | bytes) -> tuple[definition.Definition | None, list[Problem], callees.Found]:
    """Return also what the definition calls: what is kept must be what was verified."""
    try:
        parsed = definition.parse(definition.load(text, limit_bytes=settings.ORCHESTRATOR_MAX_DOCUMENT_BYTES))
    except DefinitionInvalid as refused:
        return None, list(refused.problems), {}
    registry.discover()
    called = callees.look_up(parsed)
    problems = verify(
        parsed,
        activities=registry.infos(),
        workflows=called,
        table_of=decision_tables.at_hand,
        service_of=service_registry.at_hand,
        known_secrets=secrets.names,
        has_callbacks=callbacks.is_configured(),
        has_archive=bool(settings.ORCHESTRATOR_ARCHIVE),
    )
    return parsed, problems, called


def validate(*, text: str | bytes) -> list[Problem]:
    """Return every problem of a document; it is sound if none has severity ``error``."""
    return check(text=text)[1]


@transaction.atomic
def publish(*, text: str | bytes, actor: str, changes: str = "") -> DefinitionVersion:
    """Publish a document as a version that never changes.

    Args:
        text: YAML or JSON.
        actor: who publishes.
        changes: why, in the publisher's words: kept with the version, no part of its content.

    Returns:
        The version; the existing one if identical content was published before.

    Raises:
        DefinitionInvalid: with every problem of severity ``error``; nothing is stored.
        InputInvalid: with code INVALID_CHANGES: what is said of the changes cannot be kept.
        Conflict: with code VERSION_EXISTS: another content stands under this version already; with code CHANGES_EXIST:
            the content does, and something else is said of its changes.
    """
    said = change_texts.read(changes)
    parsed, problems, called = _check(text)
    errors = [p for p in problems if p.severity == "error"]
    if parsed is None or errors:
        raise DefinitionInvalid(f"the definition has {len(errors)} problem(s)", problems=errors)
    found: DefinitionVersion = publishing.keep(
        Definition,
        kind="definition",
        called=parsed.name,
        name=parsed.name,
        version=parsed.version,
        document=definition.dump(parsed),
        text=text,
        actor=actor,
        more=lambda: {
            "activities": resolve_activities(parsed),
            "calls": callees.stored(called),
            **_retention(parsed),
            "changes": said,
        },
    )
    change_texts.demand(found, said)
    return found


def _retention(parsed: definition.Definition) -> dict[str, Any]:
    """Return the columns that say how long instances of a version are kept."""
    kept = parsed.retention
    if kept is None:
        return {}
    return {"retention_seconds": kept.keep, "retention_then": "keep" if kept.keep is None else kept.then.value}


def resolve_activities(parsed: definition.Definition) -> dict[str, Any]:
    """Return what each activity name without a version stands for now: kept with the version, used for ever."""
    resolved: dict[str, Any] = {}
    for node in Graph(parsed).written.values():
        instead = (reaction.fallback for _, reaction in node.step.on_error.written())
        for used in (node.step.body, *instead, node.step.compensate):
            name = getattr(used, "activity", None)
            if name and "@" not in name:
                found = registry.get(name)
                resolved[name] = {"version": found.version, "timeout": found.timeout}
    return resolved
