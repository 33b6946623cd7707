"""Graphs of published versions, built once per process: a version never changes, so neither does its graph."""

from __future__ import annotations

from functools import lru_cache

from workflows_app.engine import definition
from workflows_app.engine.graph import Graph
from workflows_app.models import DefinitionVersion


@lru_cache(maxsize=256)
def of_version(version_id: int) -> Graph:
    """Return the graph of a published version, with its compiled expressions.

    Args:
        version_id: primary key of the ``DefinitionVersion``.
    """
    wanted = DefinitionVersion.objects.values_list("document", "activities", "calls")
    document, activities, calls = wanted.get(pk=version_id)
    return Graph(definition.parse(document), activities, calls)
