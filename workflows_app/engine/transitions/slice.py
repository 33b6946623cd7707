"""The slice that a decision sees, the draft it writes on, and the decision that comes out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from workflows_app.engine import stored, values
from workflows_app.engine.commands import Command
from workflows_app.engine.errors import OrchestratorError
from workflows_app.engine.events import Event, EventType
from workflows_app.engine.expressions import Expression, Value
from workflows_app.engine.fold import State
from workflows_app.engine.graph import Graph
from workflows_app.engine.node import Node
from workflows_app.engine.snapshot import NOT_LOADED, InstanceSnapshot, StepSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """What a decision may see.

    Args:
        graph: the graph of the instance's own version.
        instance: its ``input`` may be ``NOT_LOADED``.
        steps: rows that exist, by path; values of those outside ``valued`` are ``NOT_LOADED``.
        known: paths that were looked up: a known path without a row is a pending step.
        valued: paths whose ``input`` and ``output`` were loaded.
        whole: every row was looked up.
        limit_bytes: the largest value, in bytes of JSON, that a step may store.
    """

    graph: Graph
    instance: InstanceSnapshot
    steps: Mapping[str, StepSnapshot] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    valued: frozenset[str] = frozenset()
    whole: bool = False
    limit_bytes: int = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What an occurrence leads to: the state after it, what happened, and what to do about it."""

    before: Slice
    after: State
    events: tuple[Event, ...]
    commands: tuple[Command, ...]


class SliceMiss(Exception):
    """The slice lacks something: load it as well and decide again."""

    def __init__(
        self, *, paths: Iterable[str] = (), values: Iterable[str] = (), input: bool = False, whole: bool = False
    ) -> None:
        super().__init__("the slice lacks something that the decision needs")
        self.paths = frozenset(paths)
        self.values = frozenset(values)
        self.input = input
        self.whole = whole


class StaleOccurrence(OrchestratorError):
    """The occurrence is about an attempt, a timer or a state that has gone: nothing changes."""

    code = "STALE"


class Look(StrEnum):
    """Why a node is looked at again before the decision ends."""

    ENTER = "enter"
    CLOSE = "close"


class Draft(State):
    """The working copy of one decision: it hands out snapshots, records events and folds them in at once.

    ``todo`` holds what is still to be looked at, in order: a long row of inline steps needs no recursion, and the
    modules that find work need not know those that do it.
    """

    def __init__(self, slice_: Slice, *, now: datetime, actor: str) -> None:
        super().__init__(slice_.graph, slice_.instance, slice_.steps)
        self.before = slice_
        self.now = now
        self.actor = actor
        self.events: list[Event] = []
        self.commands: list[Command] = []
        self.todo: deque[tuple[Look, str | None]] = deque()

    def step(self, path: str) -> StepSnapshot:
        found = self.steps.get(path)
        if found is not None:
            return found
        if not self.before.whole and path not in self.before.known:
            raise SliceMiss(paths=[path])
        return StepSnapshot(path=path)

    def need_values(self, paths: Iterable[str]) -> None:
        """Ask at once for all of these steps whose ``input`` and ``output`` are not loaded."""
        missing = [path for path in paths if not self._has_values(path)]
        if missing:
            raise SliceMiss(values=missing)

    def _has_values(self, path: str) -> bool:
        step = self.steps.get(path)
        if step is None:
            return self.before.whole or path in self.before.known
        return step.output is not NOT_LOADED and step.input is not NOT_LOADED

    def values_of(self, path: str) -> StepSnapshot:
        """Return a step whose ``input`` and ``output`` are loaded."""
        self.need_values([path])
        return self.step(path)

    def need_steps(self, paths: Iterable[str]) -> None:
        """Ask at once for all of these rows that were not looked up."""
        known = self.before.known
        missing = [path for path in paths if path not in self.steps and path not in known]
        if missing and not self.before.whole:
            raise SliceMiss(paths=missing)

    def require_whole(self) -> None:
        """Ask for every row of the instance: for what touches all open steps."""
        if not self.before.whole:
            raise SliceMiss(whole=True)

    def emit(self, kind: EventType, step: str = "", **data: Any) -> None:
        event = Event(
            sequence=self.instance.sequence + 1, type=kind, step=step, at=self.now, data=data, actor=self.actor
        )
        self.events.append(event)
        self.apply(event)

    def command(self, command: Command) -> None:
        self.commands.append(command)

    def look_later(self, look: Look, path: str | None) -> None:
        """Put a node (``None``: the instance) on the list of what is still to be looked at."""
        self.todo.append((look, path))

    def evaluate(self, compiled: Value | Expression, extra: Mapping[str, Any] | None = None) -> Any:
        """Evaluate over this state.

        Args:
            compiled: a template tree or an expression.
            extra: further names, for example ``error``.

        Returns:
            A JSON value within the slice's ``limit_bytes``.

        Raises:
            OrchestratorError: with the code of what is wrong: EXPRESSION_ERROR, EXPRESSION_LIMIT, TOO_LARGE …
        """
        read = sorted({r.name for r in compiled.reads if r.root == "steps" and r.name and r.name in self.graph.nodes})
        self.need_values(read)
        names: dict[str, Any] = {
            "vars": self.instance.variables,
            "now": self.now,
            "instance": self._instance_names(),
            "steps": {path: self._step_names(path) for path in read},
            **(extra or {}),
        }
        if any(r.root == "input" for r in compiled.reads):
            if self.instance.input is NOT_LOADED:
                raise SliceMiss(input=True)
            names["input"] = self.instance.input
        result = compiled.evaluate(names)
        text = values.encode(result, limit_bytes=self.before.limit_bytes, what="the value")
        return stored.as_stored(text) if stored.changes(text) else result

    def _instance_names(self) -> dict[str, Any]:
        at = self.instance.started_at
        return {
            "id": self.instance.id,
            "workflow": self.instance.workflow,
            "version": self.instance.version,
            "correlation_id": self.instance.correlation_id,
            "started_at": at.isoformat() if at else None,
            "started_by": self.instance.started_by,
        }

    def _step_names(self, path: str) -> dict[str, Any]:
        step = self.values_of(path)
        return {
            "output": step.output,
            "state": step.state.value,
            "error": dict(step.error) if step.error else None,
            "attempts": step.attempts,
        }

    def stopped(self, node: Node) -> bool:
        """Whether the instance, or a block around the node, is stopping: nothing new starts in it."""
        if self.instance.ending is not None:
            return True
        return any(self.step(container.path).stopping for container in self.graph.ancestors(node.path))


def error_of(problem: OrchestratorError) -> dict[str, Any]:
    """Write a refusal as a step's error."""
    return {
        "code": problem.code,
        "message": problem.message,
        "details": problem.details,
        "recoverable": getattr(problem, "recoverable", False),
    }


def error(code: str, message: str, *, recoverable: bool = False, **details: Any) -> dict[str, Any]:
    return {"code": code, "message": message, "details": details, "recoverable": recoverable}
