"""Graphs of published versions and their charts, built once per process: a version never changes, nor do they.

An instance that overrides something has a graph of its own; with others that override the same it shares that.
"""

from __future__ import annotations

import json
from functools import lru_cache

from workflows_app.drawing import flows, state_machines
from workflows_app.drawing.chart import Chart
from workflows_app.engine import definition, overrides
from workflows_app.engine.graph import Graph
from workflows_app.models import DefinitionVersion, Instance


@lru_cache(maxsize=256)
def of_version(version_id: int) -> Graph:
    """Return the graph of a published version, with its compiled expressions.

    Args:
        version_id: primary key of the ``DefinitionVersion``.
    """
    wanted = DefinitionVersion.objects.values_list("document", "activities", "calls")
    document, activities, calls = wanted.get(pk=version_id)
    return Graph(definition.parse(document), activities, calls)


def of_name(workflow: str, version: str) -> Graph:
    """Return the graph of a published version by the names that people know.

    Raises:
        KeyError: there is none.
    """
    key = DefinitionVersion.objects.filter(definition__name=workflow, version=version).values_list("pk", flat=True)
    if not key:
        raise KeyError(f"{workflow} {version}")
    return of_version(key[0])


def of_instance(version_id: int, overridden: str | None) -> Graph:
    """Return the graph that an instance is decided on.

    Args:
        version_id: primary key of its ``DefinitionVersion``.
        overridden: its overrides as JSON text; ``None`` for most.
    """
    return of_version(version_id) if overridden is None else _overridden(version_id, overridden)


def of_row(row: Instance) -> Graph:
    """Return the graph of an instance's row."""
    return of_instance(row.definition_version_id, None if row.overrides is None else json.dumps(row.overrides))


@lru_cache(maxsize=64)
def _overridden(version_id: int, overridden: str) -> Graph:
    return overrides.apply(of_version(version_id), json.loads(overridden))


@lru_cache(maxsize=128)
def chart(version_id: int) -> Chart:
    """Return the chart of a published version: its steps, or its states, and what follows what."""
    graph = of_version(version_id)
    machine = graph.definition.machine
    return flows.chart(graph) if machine is None else state_machines.chart(machine)
