"""Retention: what is to be archived needs a place to be archived in."""

from __future__ import annotations

from collections.abc import Iterator

from workflows_app.engine.definition.model import Definition
from workflows_app.engine.definition.retention import Then
from workflows_app.engine.errors import Problem


def problems(definition: Definition, has_archive: bool) -> Iterator[Problem]:
    """Yield the warning ``ARCHIVE_NOT_CONFIGURED``.

    Args:
        has_archive: whether this installation knows where to keep archives.
    """
    if definition.retention is not None and definition.retention.then is Then.ARCHIVE and not has_archive:
        message = "this installation keeps no archives yet, so that instances stay: ORCHESTRATOR_ARCHIVE is not set"
        yield Problem(code="ARCHIVE_NOT_CONFIGURED", path="retention.then", message=message, severity="warning")
