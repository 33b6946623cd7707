"""Scouting: which rows an event of an undo will touch, so that all of them are asked for at once.

How far one end of an undo leads is not known ahead: what depended on nothing else has its turn, what has nothing to
undo is passed. The event is folded into a scout first, which takes a row that was not looked up for the next step to
undo and goes no further. Only where steps turned out to have nothing to undo it looks further ahead, as many steps as
were passed already: so a long row of them is asked for in few portions, and none too many elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workflows_app.engine.compensation import needs_undo
from workflows_app.engine.events import Event, EventType
from workflows_app.engine.fold import State
from workflows_app.engine.snapshot import StepSnapshot
from workflows_app.engine.states import StepState
from workflows_app.engine.transitions.slice import SliceMiss

if TYPE_CHECKING:
    from workflows_app.engine.transitions.draft import Draft


def ask_ahead(draft: Draft, kind: EventType, path: str, data: Mapping[str, Any]) -> None:
    """Ask for what an event will touch, and for the values of what may be undone next.

    Raises:
        SliceMiss: something of it was not looked up.
    """
    scout = _Scout(draft)
    scout.apply(Event(sequence=draft.instance.sequence + 1, type=kind, step=path, at=draft.now, data=data))
    if scout.values or scout.rows:
        raise SliceMiss(rows=scout.rows, values=scout.values)


class _Scout(State):
    """A state that notes which rows are missing and goes on without them."""

    def __init__(self, draft: Draft) -> None:
        super().__init__(draft.graph, draft.instance, {})
        self.draft = draft
        self.rows: set[str] = set()
        self.values: set[str] = set()
        self.met: set[str] = set()
        self.ahead = 0

    def step(self, path: str) -> StepSnapshot:
        found = self.steps.get(path)
        if found is not None:
            return found
        if not self.draft.is_known(path):
            return self._unknown(path)
        step = self.draft.step(path)
        node = self.graph.undo_order.node(path)
        if path not in self.met and node.has_undo and not node.is_container and not needs_undo(node, step):
            self.met.add(path)
            self.ahead += 1
        return step

    def _unknown(self, path: str) -> StepSnapshot:
        order = self.graph.undo_order
        node = order.node(path)
        if node.is_container:
            self.rows.add(path)
            return StepSnapshot(path=path, state=StepState.COMPLETED, started_at=self.draft.now, opened=1)
        if order.followers(path) > 1:
            self.rows.add(path)
        elif not self.ahead and path not in self.rows:
            self.values.add(path)
        elif path not in self.rows:
            self.rows.add(path)
            self.ahead -= 1
        passing = path in self.rows
        return StepSnapshot(path=path, state=StepState.PENDING if passing else StepState.COMPLETED)
