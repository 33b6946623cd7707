"""Decision tables: validate a document, publish a version, find and evaluate the version that a step asks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import transaction

from workflows_app.engine import decision_tables, definition
from workflows_app.engine.decision_tables import Decision, Table
from workflows_app.engine.errors import DefinitionInvalid, InputInvalid, NotFound, Problem
from workflows_app.models import DecisionTable, DecisionTableVersion
from workflows_app.services import publishing
from workflows_app.services.contents import parse_version

LARGEST_NUMBER = 2**63 - 1


def check(*, text: str | bytes) -> tuple[dict[str, Any] | None, Table | None, list[Problem]]:
    """Parse and check a document.

    Args:
        text: YAML or JSON.

    Returns:
        The document and the table (``None`` where it cannot be parsed) and every problem found, warnings included:
        gaps and rules that are never reached are warnings, overlaps under the policy unique are errors.
    """
    try:
        document = definition.load(text, limit_bytes=settings.ORCHESTRATOR_MAX_DOCUMENT_BYTES)
        table = decision_tables.parse(document)
    except DefinitionInvalid as refused:
        return None, None, list(refused.problems)
    return document, table, [*_version_problems(table.version), *decision_tables.check(table)]


def validate(*, text: str | bytes) -> list[Problem]:
    """Return every problem of a document; it is sound if none has severity ``error``."""
    return check(text=text)[2]


def read(*, text: str | bytes) -> Table:
    """Return the table of a sound document.

    Raises:
        DefinitionInvalid: with every problem of severity ``error``.
    """
    return _sound(*check(text=text))[1]


def _sound(
    document: dict[str, Any] | None, table: Table | None, problems: list[Problem]
) -> tuple[dict[str, Any], Table]:
    errors = [problem for problem in problems if problem.severity == "error"]
    if document is None or table is None or errors:
        raise DefinitionInvalid(
            f"the decision table has {len(errors)} problem(s)", code="TABLE_INVALID", problems=errors
        )
    return document, table


def _version_problems(version: str) -> list[Problem]:
    if max(parse_version(version)[:3]) <= LARGEST_NUMBER:
        return []
    return [Problem(code="SCHEMA", path="version", message=f"its numbers must not be above {LARGEST_NUMBER}")]


@transaction.atomic
def publish(*, text: str | bytes, actor: str) -> DecisionTableVersion:
    """Publish a document as a version that never changes; steps that name no version use it from now on if it is the
    highest.

    Args:
        text: YAML or JSON.
        actor: who publishes.

    Returns:
        The version; the existing one if identical content was published before.

    Raises:
        DefinitionInvalid: with every problem of severity ``error``; nothing is stored.
        Conflict: with code VERSION_EXISTS: another content stands under this version already.
    """
    document, table = _sound(*check(text=text))
    found: DecisionTableVersion = publishing.keep(
        DecisionTable,
        kind="decision_table",
        called=f"the decision table {table.name}",
        name=table.name,
        version=table.version,
        document=document,
        text=text,
        actor=actor,
    )
    return found


def find(*, name: str, version: str | None = None) -> DecisionTableVersion:
    """Return the named version, or the highest that is no prerelease.

    Raises:
        NotFound: with code TABLE_NOT_FOUND or VERSION_NOT_FOUND.
    """
    versions = DecisionTableVersion.objects.select_related("table").filter(table__name=name)
    found = versions.usable().first() if version is None else versions.filter(version=version).first()
    if found is not None:
        return found
    known = list(versions.order_by("-major", "-minor", "-patch", "-pk").values_list("version", flat=True)[:5])
    if not known:
        raise NotFound(f"there is no decision table {name!r}", code="TABLE_NOT_FOUND")
    wanted = "version other than prereleases" if version is None else f"version {version!r}"
    raise NotFound(
        f"the decision table {name} has no {wanted}; published: {', '.join(known)}", code="VERSION_NOT_FOUND"
    )


def listed(*, name: str | None = None) -> list[DecisionTableVersion]:
    """Return the published versions without their documents, by name, the highest first.

    Raises:
        NotFound: with code TABLE_NOT_FOUND: there is none of this name.
    """
    versions = DecisionTableVersion.objects.select_related("table").defer("document", "source")
    if name is not None:
        versions = versions.filter(table__name=name)
    found = list(versions.order_by("table__name", "-major", "-minor", "-patch", "-pk"))
    if name is not None and not found:
        raise NotFound(f"there is no decision table {name!r}", code="TABLE_NOT_FOUND")
    return found


def at_hand(name: str, version: str | None) -> Table | None:
    """Return a published table, parsed once per version and process.

    Args:
        version: ``None`` for the highest that there is now and that is no prerelease.

    Returns:
        ``None`` where there is none.
    """
    versions = DecisionTableVersion.objects.filter(table__name=name)
    wanted = versions.usable() if version is None else versions.filter(version=version)
    row = wanted.values_list("pk", "content_hash").first()
    return None if row is None else _parsed(*row)


@lru_cache(maxsize=64)
def _parsed(version_id: int, digest: str) -> Table:
    """Parse a stored version. The hash tells versions apart that had one key, before and after a restore."""
    return decision_tables.parse(DecisionTableVersion.objects.values_list("document", flat=True).get(pk=version_id))


def evaluate(*, table: Table, given: Any) -> Decision:
    """Say what a table decides; nothing is stored.

    Raises:
        InputInvalid: with code TABLE_INPUT_INVALID: the input is no mapping.
        DecisionFailed, ExpressionError: as a step would fail.
    """
    if not isinstance(given, Mapping):
        message = "the input of a decision table must be a mapping of names to values"
        problem = Problem(code="TABLE_INPUT_INVALID", path="input", message=message)
        raise InputInvalid(message, code=problem.code, problems=[problem])
    return decision_tables.decide(table, given)
