"""The canvas: which messages carry a decision's dispatches, as a tree of tasks, chains, groups and chords.

Pure: a plan names steps and generations; ``dispatch`` renders it as Celery signatures. In this release every message
carries one step, so a plan is a task or a group of tasks; the engine is asked for the next plan when a step settles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workflows_app.engine.commands import Dispatch
from workflows_app.engine.node import LONG_AFTER


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One message: a step at one dispatch generation, for one queue; ``long`` work is acknowledged early."""

    step: str
    generation: int
    queue: str
    long: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Plans that go out side by side."""

    members: tuple[Plan, ...]


Plan = Task | Group


def compile(frontier: Sequence[Dispatch]) -> Plan | None:
    """Render the ready frontier of one instance as the largest plan that needs no decision in between.

    Args:
        frontier: dispatches as decided; a step appears once.

    Returns:
        ``None`` for an empty frontier.

    >>> compile([Dispatch(step="pay", generation=1, queue="default", timeout=30.0)])
    Task(step='pay', generation=1, queue='default', long=False)
    >>> compile([]) is None
    True
    """
    tasks = tuple(
        Task(step=d.step, generation=d.generation, queue=d.queue, long=d.timeout > LONG_AFTER) for d in frontier
    )
    if len(tasks) <= 1:
        return tasks[0] if tasks else None
    return Group(members=tasks)
