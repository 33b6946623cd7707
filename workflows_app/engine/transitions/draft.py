"""The draft that a decision is written on: it hands out what the slice has, records events, folds them in at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from workflows_app.engine import stored, values
from workflows_app.engine.commands import Command, Dispatch
from workflows_app.engine.decision_tables import Table
from workflows_app.engine.errors import ExpressionError
from workflows_app.engine.events import Event, EventType
from workflows_app.engine.expressions import Expression, Value
from workflows_app.engine.fold import State
from workflows_app.engine.node import Node
from workflows_app.engine.paths import indexes, iteration_of, iterations
from workflows_app.engine.snapshot import NOT_LOADED, StepSnapshot
from workflows_app.engine.states import InstanceState
from workflows_app.engine.transitions.slice import Gathered, Slice, SliceMiss


class Look(StrEnum):
    """Why a node is looked at again before the decision ends."""

    ENTER = "enter"
    CLOSE = "close"
    LOSERS = "losers"
    REPEAT = "repeat"
    UNDONE = "undone"
    REWOUND = "rewound"


class Draft(State):
    """The working copy of one decision: it hands out snapshots, records events and folds them in at once.

    ``todo`` holds what is still to be looked at, in order: a long row of inline steps needs no recursion, and the
    modules that find work need not know those that do it. ``begun`` are the iterations that this decision begins: of
    what is inside them nothing can be stored yet. ``reached`` are the nodes whose turn to be undone has come.
    """

    def __init__(self, slice_: Slice, *, now: datetime, actor: str) -> None:
        super().__init__(slice_.graph, slice_.instance, slice_.steps)
        self.before = slice_
        self.now = now
        self.actor = actor
        self.events: list[Event] = []
        self.commands: list[Command] = []
        self.todo: deque[tuple[Look, str | None]] = deque()
        self.begun: set[str] = set()
        self.reached: dict[str, None] = {}

    def reach(self, path: str) -> None:
        self.reached[path] = None

    def step(self, path: str) -> StepSnapshot:
        found = self.steps.get(path)
        if found is not None:
            return found
        if not self._looked_up(path):
            raise SliceMiss(paths=[path])
        return StepSnapshot(path=path)

    def is_known(self, path: str) -> bool:
        """Whether a step's row, or that there is none, is known."""
        return path in self.steps or self._looked_up(path)

    def _looked_up(self, path: str) -> bool:
        """Whether a row that is not there does not exist."""
        before = self.before
        if path in before.known or path in self.steps or before.complete:
            return True
        if self.begun and not self.begun.isdisjoint(iterations(path)):
            return True
        if not before.whole:
            return False
        around = iteration_of(path)
        # Where an iteration has settled, what settled in it was left out.
        return around is None or (around in self.steps and self.steps[around].settled is None)

    def need_values(self, paths: Iterable[str]) -> None:
        """Ask at once for all of these steps whose ``input`` and ``output`` are not loaded."""
        missing = [path for path in paths if not self._has_values(path)]
        if missing:
            raise SliceMiss(values=missing)

    def _has_values(self, path: str) -> bool:
        step = self.steps.get(path)
        if step is None:
            return self._looked_up(path)
        return step.output is not NOT_LOADED and step.input is not NOT_LOADED

    def values_of(self, path: str) -> StepSnapshot:
        """Return a step whose ``input`` and ``output`` are loaded."""
        self.need_values([path])
        return self.step(path)

    def need_steps(self, paths: Iterable[str]) -> None:
        """Ask at once for all of these rows that were not looked up."""
        missing = [path for path in paths if not self._looked_up(path)]
        if missing:
            raise SliceMiss(paths=missing)

    def need_rows(self, paths: Iterable[str]) -> None:
        """Ask at once for these rows, and for nothing that is usually read with them."""
        missing = [path for path in paths if not self._looked_up(path)]
        if missing:
            raise SliceMiss(rows=missing)

    def require_whole(self) -> None:
        """Ask for every row of the instance: for what touches all open steps."""
        if not self.before.whole:
            raise SliceMiss(whole=True)

    def require_complete(self) -> None:
        """Ask for every row there is: for what looks back at all that happened."""
        if not self.before.complete:
            raise SliceMiss(complete=True)

    def inside(self, path: str | None) -> Iterator[Node]:
        """Yield the nodes inside a container, outer before inner, in the iterations that are in flight too."""
        in_flight: dict[str, set[str]] | None = None
        queue = deque(self.graph.roots if path is None else [path])
        while queue:
            node = self.graph[queue.popleft()]
            if node.path != path:
                yield node
            if node.is_repeat and in_flight is None:
                # Only here: what repeats nothing is known without looking at all that is in flight.
                in_flight = self._in_flight()
            queue.extend(self._children(node, in_flight or {}))

    def open_iterations(self, path: str) -> tuple[str, ...]:
        """Return the iterations of a ``foreach`` or ``loop`` that are in flight, in order."""
        return tuple(self._children(self.graph[path], self._in_flight()))

    def _in_flight(self) -> dict[str, set[str]]:
        """Return the iterations of which anything is in flight, by the block that they belong to."""
        found: dict[str, set[str]] = {}
        if any(node.is_repeat for node in self.graph.written.values()):
            self.require_whole()
            for known in self.steps:
                for around in iterations(known):
                    found.setdefault(self.graph[around].parent or "", set()).add(around)
        return found

    @staticmethod
    def _children(node: Node, in_flight: Mapping[str, Iterable[str]]) -> Iterable[str]:
        if not node.is_repeat:
            return node.children
        # By name too: the choices of an ad-hoc section are numbered by member.
        return sorted(in_flight.get(node.path, ()), key=lambda path: (indexes(path)[-1], path))

    def items(self, path: str, first: int, number: int) -> tuple[Any, ...]:
        """Return items of a ``foreach``, up to ``number`` from index ``first`` on."""
        found = self.before.items.get((path, first))
        if found is not None:
            return found[:number]
        step = self.step(path)
        if step.input is NOT_LOADED:
            raise SliceMiss(items=(path, first, number))
        return tuple(step.input["items"][first : first + number])

    def undo_inside(self) -> bool:
        """Whether anything that settled inside an iteration is to be undone."""
        if self.before.undo_inside is None:
            raise SliceMiss(undo_inside=True)
        return self.before.undo_inside

    def gathered(self, path: str) -> Gathered:
        """Return what the iterations of a ``foreach`` came to."""
        found = self.before.gathered.get(path)
        if found is None and not self.before.complete:
            raise SliceMiss(gathered=path)
        outputs = dict(found.outputs) if found else {}
        errors = dict(found.errors) if found else {}
        for known, step in self.steps.items():
            # What this decision has changed is not stored yet.
            if step.settled is not None and known.startswith(f"{path}[") and self.graph[known].parent == path:
                index = indexes(known)[-1]
                if step.output is not NOT_LOADED:
                    outputs[index] = step.output
                elif found is None:
                    raise SliceMiss(gathered=path)  # its row is here, not what it came to
                # What was stored may have been taken back by a retry.
                errors.pop(index, None)
                if step.error is not None:
                    errors[index] = step.error
        return Gathered(outputs=outputs, errors=errors)

    def failed_at(self, path: str) -> tuple[datetime, ...]:
        """Return when the failed and the timed out attempts of a step ended, the last first."""
        if path not in self.before.failed_at:
            raise SliceMiss(failed_at=path)
        return self.before.failed_at[path]

    def table(self, name: str, version: str | None) -> Table | None:
        """Return a decision table, ``None`` where there is none of that name and version."""
        if (name, version) not in self.before.tables:
            raise SliceMiss(table=(name, version))
        return self.before.tables[name, version]

    def emit(self, kind: EventType, step: str = "", **data: Any) -> None:
        event = Event(
            sequence=self.instance.sequence + 1, type=kind, step=step, at=self.now, data=data, actor=self.actor
        )
        self.events.append(event)
        self.apply(event)

    @property
    def paused(self) -> bool:
        return self.instance.state is InstanceState.PAUSED

    def command(self, command: Command) -> None:
        if not (self.paused and isinstance(command, Dispatch)):  # a paused instance's steps are sent on resume
            self.commands.append(command)

    def look_later(self, look: Look, path: str | None) -> None:
        """Put a node (``None``: the instance) on the list of what is still to be looked at."""
        self.todo.append((look, path))

    def look_next(self, look: Look, path: str) -> None:
        """Put a node before everything else that is still to be looked at."""
        self.todo.appendleft((look, path))

    def evaluate(
        self,
        compiled: Value | Expression,
        node: Node | None,
        extra: Mapping[str, Any] | None = None,
        steps: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Any:
        """Evaluate over this state.

        Args:
            compiled: a template tree or an expression.
            node: the node that reads; ``None`` for the workflow's own output.
            extra: further names, for example ``error``.
            steps: what is read of steps that the node does not see by itself, by id.

        Returns:
            A JSON value within the slice's ``limit_bytes``.

        Raises:
            OrchestratorError: with the code of what is wrong: EXPRESSION_ERROR, EXPRESSION_LIMIT, TOO_LARGE …
        """
        reader = node.path if node else ""
        given = steps or {}
        read = {r.name for r in compiled.reads if r.root == "steps" and r.name}
        wanted = {name for name in read if name in self.graph.written and name not in given}
        paths = {name: self.graph.named(name, reader) for name in sorted(wanted)}
        items = self._iterations(node, compiled)
        self.need_values([*paths.values(), *items.values()])
        names: dict[str, Any] = {
            "vars": self.instance.variables,
            "now": self.now,
            "instance": self._instance_names(),
            "steps": {**given, **{name: self._step_names(path) for name, path in paths.items()}},
            **{name: self.values_of(path).input["item"] for name, path in items.items()},
            **self._indexes(node),
            **({"state": self.instance.machine_state} if self.graph.definition.machine is not None else {}),
            **(extra or {}),
        }
        if any(r.root == "input" for r in compiled.reads):
            if self.instance.input is NOT_LOADED:
                raise SliceMiss(input=True)
            names["input"] = self.instance.input
        result = compiled.evaluate(names)
        text = values.encode(result, limit_bytes=self.before.limit_bytes, what="the value")
        return stored.as_stored(text) if stored.changes(text) else result

    def _iterations(self, node: Node | None, compiled: Value | Expression) -> dict[str, str]:
        """Return the iterations whose item is read, by its name; an inner one hides an outer one of the same name."""
        if node is None or not node.depth:
            return {}
        read = {reference.root for reference in compiled.reads}
        found: dict[str, str] = {}
        for path in iterations(node.path):
            name = self.graph[path].item_name
            if name is not None and name in read:
                found.setdefault(name, path)
        return found

    def _indexes(self, node: Node | None) -> dict[str, int]:
        """Return ``index`` and ``iteration`` of the innermost iterations around a node."""
        found: dict[str, int] = {}
        for path in iterations(node.path) if node is not None and node.depth else ():
            name = "index" if self.graph[path].item_name is not None else "iteration"
            found.setdefault(name, indexes(path)[-1])
        return found

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
        return names_of(self.values_of(path))

    def stopped(self, node: Node) -> bool:
        """Whether the instance, a block around the node, or the step itself is stopping: nothing new starts in it."""
        if self.instance.ending is not None:
            return True
        own = self.step(node.path)
        # A block, or a call that waits, which stops with an error fails with it, as its `on_error` says.
        if own.stopping and not node.is_container and not (node.awaits_child and own.error is not None):
            return True
        return any(self.step(container.path).stopping for container in self.graph.ancestors(node.path))


def names_of(step: StepSnapshot) -> dict[str, Any]:
    """Return what expressions read of a step, below ``steps.<id>``."""
    details = step.error.get("details", {}) if step.error else {}
    return {
        "output": step.output,
        "state": step.state.value,
        "error": dict(step.error) if step.error else None,
        "attempts": step.attempts,
        "failures": details.get("failures", []),
    }


def holds(value: Any) -> bool:
    """Return what a condition comes to, which must be true or false."""
    if not isinstance(value, bool):
        raise ExpressionError(f"a condition must be true or false, not {value!r}"[:200])
    return value
