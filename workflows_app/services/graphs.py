"""Graphs of published versions and their charts, built once per process: a version never changes, nor do they."""

from __future__ import annotations

from functools import lru_cache

from workflows_app.drawing import flows, state_machines
from workflows_app.drawing.chart import Chart
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


@lru_cache(maxsize=128)
def chart(version_id: int) -> Chart:
    """Return the chart of a published version: its steps, or its states, and what follows what."""
    graph = of_version(version_id)
    machine = graph.definition.machine
    return flows.chart(graph) if machine is None else state_machines.chart(machine)
