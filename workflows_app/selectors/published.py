"""The versions of a workflow as they were published: by whom, when, why, and what differs from the one below."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from workflows_app.engine import definition
from workflows_app.engine.definition.comparing import Change, Difference
from workflows_app.engine.definition.comparing import differences as between
from workflows_app.engine.errors import NotFound
from workflows_app.models import DefinitionVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A version, the one published as its predecessor, and what differs, in a few words."""

    version: DefinitionVersion
    before: str = ""
    differs: str = ""


def versions(name: str) -> Any:
    """Return the versions of a workflow, the highest first, without their documents."""
    rows = DefinitionVersion.objects.filter(definition__name=name).defer("source", "document", "activities", "calls")
    return rows.order_by("-major", "-minor", "-patch", "-prerelease", "-pk")


def highest(name: str) -> DefinitionVersion:
    """Return the highest version of a workflow.

    Raises:
        NotFound: with code WORKFLOW_NOT_FOUND.
    """
    found: DefinitionVersion | None = versions(name).first()
    if found is None:
        raise NotFound(f"there is no workflow {name!r}", code="WORKFLOW_NOT_FOUND")
    return found


def rows(name: str, *, first: int, number: int) -> list[Row]:
    """Return some versions of a workflow, the highest first.

    Args:
        first: how many higher ones are left out.
        number: how many there are at most.

    Raises:
        NotFound: with code WORKFLOW_NOT_FOUND.
    """
    found = list(versions(name)[first : first + number + 1])
    if not found:
        raise NotFound(f"there is no workflow {name!r}", code="WORKFLOW_NOT_FOUND")
    return [_row(version, before) for version, before in zip(found, [*found[1:], None], strict=True)][:number]


def _row(version: DefinitionVersion, before: DefinitionVersion | None) -> Row:
    if before is None:
        return Row(version=version, differs="the first one")
    return Row(version=version, before=before.version, differs=_summary(differences(before.pk, version.pk)))


@lru_cache(maxsize=256)
def differences(old: int, new: int) -> tuple[Difference, ...]:
    """Return what differs in meaning: versions never change, so neither does what differs between two of them."""
    return between(_parsed(old), _parsed(new))


@lru_cache(maxsize=64)
def _parsed(version_id: int) -> definition.Definition:
    return definition.parse(DefinitionVersion.objects.values_list("document", flat=True).get(pk=version_id))


def _summary(found: Sequence[Difference]) -> str:
    """Count differences by their kinds.

    >>> _summary([Difference(Change.ADDED, "steps.a", None, {}), Difference(Change.CHANGED, "title", "a", "b")])
    '1 added, 1 changed'
    """
    counts = Counter(each.kind for each in found)
    return ", ".join(f"{counts[kind]} {kind.value}" for kind in Change if counts[kind]) or "nothing in meaning"
