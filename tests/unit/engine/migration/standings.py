"""An instance between two versions, written down in one line each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import yaml

from workflows_app.engine import definition
from workflows_app.engine.graph import Graph
from workflows_app.engine.migration import Plan, Standing, plan
from workflows_app.engine.snapshot import InstanceSnapshot, StepSnapshot
from workflows_app.engine.states import InstanceState, StepState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OTHERS = {
    "other": {"version": "1.0.0", "input": None, "undoable": True},
    "another": {"version": "1.0.0", "input": None},
}


def graph(steps: str, version: str = "1.0.0", **head: Any) -> Graph:
    """Make a graph of steps in YAML, one a line without its dash."""
    listed = "\n".join(f"- {{{line.strip()}}}" for line in steps.splitlines() if line.strip())
    document = {"workflow": "w", "version": version, **head, "steps": yaml.safe_load(listed)}
    return Graph(definition.parse(document), calls=OTHERS)


def standing(
    old: Graph,
    new: Graph,
    states: Mapping[str, str | Mapping[str, Any]],
    *,
    renames: Mapping[str, str] | None = None,
    **instance: Any,
) -> Standing:
    """Put an instance between two versions.

    Args:
        states: of its steps: a state, or a row's columns.
        instance: columns of the instance.
    """
    rows = {path: {"state": row} if isinstance(row, str) else dict(row) for path, row in states.items()}
    steps = {path: StepSnapshot(path=path, **{**row, "state": StepState(row["state"])}) for path, row in rows.items()}
    given = {"state": InstanceState.RUNNING, "variables": dict(old.definition.variables), "started_at": NOW, **instance}
    snapshot = InstanceSnapshot(id="i", workflow="w", version=old.definition.version, **given)
    return Standing(old=old, new=new, instance=snapshot, steps=steps, renames=renames or {})


def planned(old: str, new: str, states: Mapping[str, Any], **options: Any) -> Plan:
    """Plan the migration of an instance from steps to steps."""
    return plan(standing(graph(old), graph(new, "2.0.0"), states, **options), now=NOW)


def codes(found: Plan) -> list[tuple[str, str]]:
    """Return the code and the place of each problem."""
    return [(each.code, each.path) for each in found.problems]
