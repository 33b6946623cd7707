"""A parsed state machine: its states, and the transitions that events set off.

A transition is known by an id made of its event's type, an action by one made of its activity's name: they stand in
paths, as in ``order_paid[4].charge``, the action ``charge`` of the transition that the machine's fifth event set off.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workflows_app.engine.definition.model import Step

MOVE = "move"
"""The step of every transition at which the machine changes its state, between ``do`` and ``then``."""
MACHINE = "machine"
"""Path of the machine itself among the steps of an instance."""
_LONGEST_ID = 60
_OTHERS = re.compile(r"[^a-z0-9_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineState:
    """A state; after ``timeout`` seconds in it the machine moves to ``on_timeout``."""

    description: str | None = None
    terminal: bool = False
    timeout: float | None = None
    on_timeout: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A move that an event sets off.

    Args:
        id: what paths call it.
        event: type of the event.
        sources: states that the move starts from.
        target: state that it ends in.
        when: the event is refused unless this holds.
        before: ``do``, the actions before the move; after one that fails the state stays.
        after: ``then``, the actions after the move.
        assignments: ``set``, what variables get with the move.
        compensate: whether what was done so far is undone before the move.
    """

    id: str
    event: str
    sources: tuple[str, ...]
    target: str
    name: str | None = None
    description: str | None = None
    when: str | None = None
    before: tuple[Step, ...] = ()
    after: tuple[Step, ...] = ()
    assignments: Mapping[str, Any] = field(default_factory=dict)
    compensate: bool = False

    @property
    def actions(self) -> tuple[Step, ...]:
        return self.before + self.after


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """States by name, and transitions in the order in which they are tried."""

    initial: str
    states: Mapping[str, MachineState]
    transitions: tuple[Transition, ...]

    def leaving(self, state: str) -> list[Transition]:
        """Return the transitions that start from a state, in order."""
        return [each for each in self.transitions if state in each.sources]

    @property
    def actions(self) -> Iterator[Step]:
        return (action for each in self.transitions for action in each.actions)


def ids(names: Iterable[str], *, taken: str) -> Iterator[str]:
    """Make an id of each name; one that is taken already gets a number.

    >>> list(ids(["order.paid", "Order-Paid", "2nd", "move"], taken="move"))
    ['order_paid', 'order_paid_2', 'on_2nd', 'move_2']
    """
    found = {taken}
    for name in names:
        plain = _OTHERS.sub("_", name.lower()).strip("_")[:_LONGEST_ID]
        wanted = plain if plain[:1].isalpha() else f"on_{plain}"
        made, number = wanted, 1
        while made in found:
            number += 1
            made = f"{wanted}_{number}"
        found.add(made)
        yield made
