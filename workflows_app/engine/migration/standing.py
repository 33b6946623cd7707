"""Standing: how far an instance has come, seen from its own graph and from the one that it is to go on by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from workflows_app.engine.errors import Problem
from workflows_app.engine.graph import Graph
from workflows_app.engine.node import Node
from workflows_app.engine.snapshot import InstanceSnapshot, StepSnapshot
from workflows_app.engine.states import STEP_OPEN, StepState

UNDER_WAY = STEP_OPEN - {StepState.PENDING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a migration looks at.

    Args:
        old: the graph of the instance's version.
        new: that of the version to come.
        instance: the instance.
        steps: its rows by path; those that settled inside an iteration that has settled may be missing.
        renames: what steps are called in the new version, by their id in the old one.
        pending: steps that a retry of a failed instance would make pending again, and
        opened: blocks that it would open again.
        used: names outside of iterations under which attempts were made, or others called, by whatever version.
    """

    old: Graph
    new: Graph
    instance: InstanceSnapshot
    steps: Mapping[str, StepSnapshot]
    renames: Mapping[str, str] = field(default_factory=dict)
    pending: frozenset[str] = frozenset()
    opened: frozenset[str] = frozenset()
    used: frozenset[str] = frozenset()

    def row(self, path: str) -> StepSnapshot:
        """Return the row of a step of the old graph."""
        return self.steps.get(path) or StepSnapshot(path=path)

    def state(self, path: str) -> StepState:
        """Return the state of a step of the old graph, in a failed instance that which a retry would give it."""
        if path in self.pending:
            return StepState.PENDING
        return StepState.WAITING if path in self.opened else self.row(path).state

    def target(self, path: str) -> str | None:
        """Return what a node outside of iterations is called in the new graph, ``None`` where that has no such node."""
        name = self.renames.get(path, path)
        if name == path and path in self.renames.values() and self.renames.get(path) != path:
            return None  # another step has this name there
        return name if name in self.new.nodes else None

    def has_begun(self, path: str) -> bool:
        """Whether a step has begun or settled; one that the instance's failure cancelled before its turn has not."""
        row = self.row(path)
        is_blank = path in self.pending and row.generation == 0 and row.started_at is None
        return row.state is not StepState.PENDING and not is_blank

    def begun(self) -> Iterator[Node]:
        """Yield the nodes of the old graph, outside of iterations, that have begun or settled, in document order."""
        for path, node in self.old.nodes.items():
            if self.has_begun(path):
                yield node

    def is_held(self, path: str) -> bool:
        """Whether a pause keeps a failure or a timer of the step back."""
        return any(each["step"] == path for each in self.instance.held)


def problem(code: str, path: str, message: str) -> Problem:
    """Return why an instance cannot be migrated; ``path`` names the step by its place in the old version."""
    return Problem(code=code, path=path, message=message)
