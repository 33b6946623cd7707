"""Plans: the tree of messages that carries a region, as frozen values; ``dispatch`` renders it as Celery signatures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One message.

    Args:
        step: path of the step that the message names.
        generation: its dispatch generation.
        queue: name of the queue.
        long: whether an attempt may take long; such a message is acknowledged early.
        fused: further steps that the same message is expected to run after it. For people and sizes: the message does
            not name them, its worker finds them by completing their predecessors.
        mates: (path, generation) of the further members of a chunk; the message names them.
    """

    step: str
    generation: int
    queue: str
    long: bool = False
    fused: tuple[str, ...] = ()
    mates: tuple[tuple[str, int], ...] = ()

    @property
    def steps(self) -> tuple[str, ...]:
        """Every step that the message is expected to run.

        >>> Task(step="a", generation=1, queue="default", fused=("b",), mates=(("c", 1),)).steps
        ('a', 'b', 'c')
        """
        return (self.step, *self.fused, *(path for path, _ in self.mates))

    @property
    def dispatches(self) -> tuple[tuple[str, int], ...]:
        """(path, generation) of every dispatch that the message carries."""
        return ((self.step, self.generation), *self.mates)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Plans one after the other: each link is sent when the one before it is done."""

    links: tuple[Plan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Plans that go out side by side."""

    members: tuple[Plan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chord:
    """Plans side by side, and the plan that is sent when the last of them is done."""

    header: tuple[Plan, ...]
    body: Plan


Plan = Task | Chain | Group | Chord


def children(plan: Plan) -> tuple[Plan, ...]:
    """Return the plans directly inside a plan, in the order in which they are sent."""
    match plan:
        case Task():
            return ()
        case Chain():
            return plan.links
        case Group():
            return plan.members
        case Chord():
            return (*plan.header, plan.body)


def tasks(plan: Plan) -> Iterator[Task]:
    """Yield the messages of a plan, earlier before later."""
    if isinstance(plan, Task):
        yield plan
    for child in children(plan):
        yield from tasks(child)


def first(plan: Plan) -> tuple[Task, ...]:
    """Return the messages that go out at once.

    >>> a, b, c = (Task(step=step, generation=1, queue="default") for step in "abc")
    >>> [task.step for task in first(Chain(links=(Chord(header=(a, b), body=c),)))]
    ['a', 'b']
    """
    match plan:
        case Task():
            return (plan,)
        case Chain():
            return first(plan.links[0])
        case Group():
            return tuple(task for member in plan.members for task in first(member))
        case Chord():
            return tuple(task for member in plan.header for task in first(member))


def width(plan: Plan) -> int:
    """Return how many messages may be under way at once, at most."""
    match plan:
        case Task():
            return 1
        case Chain():
            return max(width(link) for link in plan.links)
        case Group():
            return sum(width(member) for member in plan.members)
        case Chord():
            return max(sum(width(member) for member in plan.header), width(plan.body))
