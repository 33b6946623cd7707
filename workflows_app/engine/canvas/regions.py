"""Regions: a plan, and where it hands over to the engine and why."""

from __future__ import annotations

from dataclasses import dataclass

from workflows_app.engine.canvas.plans import Plan, Task
from workflows_app.engine.commands import Dispatch
from workflows_app.engine.graph import Graph
from workflows_app.engine.node import LONG_AFTER

FIRST = 1
"""A step that was never dispatched is dispatched at this generation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """Where a region ends and the engine goes on.

    Args:
        after: the steps with which the region ends there.
        step: the node that follows, about which the engine decides.
        why: the reason, for people.
    """

    after: tuple[str, ...]
    step: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A part of a definition that runs without asking the engine for a plan in between."""

    plan: Plan
    hand_overs: tuple[HandOver, ...]


class Notes:
    """Collects hand-overs: steps that end before the same node for the same reason share one."""

    def __init__(self) -> None:
        self._after: dict[tuple[str, str], list[str]] = {}

    def add(self, after: str, step: str, why: str) -> None:
        self._after.setdefault((step, why), []).append(after)

    def hand_overs(self) -> tuple[HandOver, ...]:
        return tuple(HandOver(after=tuple(after), step=s, why=why) for (s, why), after in self._after.items())


def sent(dispatch: Dispatch) -> Task:
    """Return the message of a dispatch."""
    return Task(
        step=dispatch.step,
        generation=dispatch.generation,
        queue=dispatch.queue,
        long=dispatch.timeout > LONG_AFTER,
    )


def coming(graph: Graph, path: str) -> Task:
    """Return the message of a step whose turn has not come yet."""
    node = graph[path]
    return Task(step=path, generation=FIRST, queue=node.queue, long=node.timeout > LONG_AFTER)


def may_be_undo(graph: Graph, dispatch: Dispatch) -> bool:
    """Whether a dispatch may be the undo of its step: what follows from an undo stands in no definition."""
    return dispatch.generation > FIRST and graph[dispatch.step].step.compensate is not None
