"""Versions: find the published version that a start, a command or a call means."""

from __future__ import annotations

from workflows_app.engine.errors import NotFound
from workflows_app.models import DefinitionVersion
from workflows_app.services.contents import SEMANTIC_VERSION


def others(workflow: str, version: str) -> list[str]:
    """Return the other versions of a workflow that are not deprecated, the highest first."""
    found = DefinitionVersion.objects.filter(definition__name=workflow, deprecated=False).exclude(version=version)
    return list(found.order_by("-major", "-minor", "-patch", "-prerelease").values_list("version", flat=True))


def find(*, name: str, version: str | None = None) -> DefinitionVersion:
    """Return the named version, or the highest that is neither deprecated nor a prerelease.

    Raises:
        NotFound: with code WORKFLOW_NOT_FOUND or VERSION_NOT_FOUND.
    """
    versions = DefinitionVersion.objects.filter(definition__name=name)
    if version is None:
        found = versions.startable().first()
    else:
        # What is no version is not looked for: it may hold what no text in the database can.
        found = versions.filter(version=version).first() if SEMANTIC_VERSION.fullmatch(version) else None
    if found is not None:
        return found
    known = list(versions.order_by("-major", "-minor", "-patch").values_list("version", flat=True)[:5])
    if not known:
        raise NotFound(f"there is no workflow {name!r}", code="WORKFLOW_NOT_FOUND")
    wanted = "version that may be started" if version is None else f"version {version!r}"
    raise NotFound(f"{name} has no {wanted}; published: {', '.join(known)}", code="VERSION_NOT_FOUND")
