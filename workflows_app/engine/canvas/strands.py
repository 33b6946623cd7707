"""Strands: a region while it grows. A strand is elements one after the other, each a message or a fork of strands.

A fork that something follows becomes the header of a chord, and what follows its body.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from workflows_app.engine.canvas.plans import Chain, Chord, Group, Plan, Task


@dataclass(slots=True, eq=False)
class Message:
    """A message, with the steps that its worker is expected to run after the one that it names."""

    task: Task
    fused: list[str] = field(default_factory=list)

    @property
    def last(self) -> str:
        return self.fused[-1] if self.fused else self.task.step

    def plan(self) -> Task:
        return replace(self.task, fused=tuple(self.fused)) if self.fused else self.task


@dataclass(slots=True, eq=False)
class Fork:
    """Strands side by side."""

    members: list[Strand]


@dataclass(slots=True, eq=False)
class Strand:
    """Elements one after the other; ``inside`` is the strand whose last element is the fork that this one is in."""

    elements: list[Message | Fork]
    inside: Strand | None = None

    def ends(self) -> set[str]:
        """Return the steps with which the strand ends."""
        end = self.elements[-1]
        if isinstance(end, Message):
            return {end.last}
        return {path for member in end.members for path in member.ends()}

    def plan(self) -> Plan:
        """Return the strand as a plan without redundant wrappers."""
        links: list[Plan] = []
        index = 0
        while index < len(self.elements):
            link, index = self._link(index)
            links.append(link)
        return links[0] if len(links) == 1 else Chain(links=tuple(links))

    def _link(self, index: int) -> tuple[Plan, int]:
        """Return the link that begins with an element, and the index of the element after the link."""
        element = self.elements[index]
        if isinstance(element, Message):
            return element.plan(), index + 1
        members = tuple(member.plan() for member in element.members)
        if index + 1 == len(self.elements):
            return Group(members=members), index + 1
        body, following = self._link(index + 1)
        return Chord(header=members, body=body), following


class Strands:
    """All strands of a region, and where each of its open ends is."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self.top = [Strand([Message(task)]) for task in tasks]
        self.at = {path: strand for strand in self.top for path in strand.ends()}

    def plan(self) -> Plan:
        plans = tuple(strand.plan() for strand in self.top)
        return plans[0] if len(plans) == 1 else Group(members=plans)

    def place(self, gate: frozenset[str]) -> list[Strand] | None:
        """Find the strands, side by side, whose ends are exactly the steps of a gate.

        Args:
            gate: steps that are open ends.

        Returns:
            ``None`` if the gate cuts through strands: then no nesting of chords has this join.
        """
        strand = self.at[next(iter(gate))]
        while len(gate) > 1:
            siblings = self._siblings(strand)
            ends = [member.ends() for member in siblings]
            covered = [member for member, its in zip(siblings, ends, strict=True) if its <= gate]
            if sum(len(its) for its in ends if its <= gate) == len(gate):
                return covered
            if len(covered) < len(siblings) or strand.inside is None:
                return None
            strand = strand.inside
        return [strand]

    def _siblings(self, strand: Strand) -> list[Strand]:
        if strand.inside is None:
            return self.top
        fork = strand.inside.elements[-1]
        assert isinstance(fork, Fork)
        return fork.members

    def follow(self, place: list[Strand], tasks: list[Task]) -> Callable[[], None]:
        """Let messages follow strands that lie side by side.

        Args:
            place: from ``place``.
            tasks: the messages that begin when all of these strands are done.

        Returns:
            What takes it back.
        """
        strand, separate = self._together(place)
        messages = [Message(task) for task in tasks]
        members = [strand]
        if len(messages) == 1:
            strand.elements += messages
        else:
            members = [Strand([message], strand) for message in messages]
            strand.elements.append(Fork(members))
        self.at |= {path: member for member in members for path in member.ends()}

        def undo() -> None:
            del strand.elements[-1]
            for task in tasks:
                del self.at[task.step]
            separate()

        return undo

    def _together(self, place: list[Strand]) -> tuple[Strand, Callable[[], None]]:
        """Return the one strand that ends as these do: their fork's own, or a new one that takes their place."""
        if len(place) == 1:
            return place[0], _nothing
        siblings, inside = self._siblings(place[0]), place[0].inside
        if len(place) == len(siblings) and inside is not None:
            return inside, _nothing
        before = list(siblings)
        together = Strand([Fork(place)], inside)
        siblings[:] = [member for member in siblings if member is place[0] or member not in place]
        siblings[siblings.index(place[0])] = together
        for member in place:
            member.inside = together

        def separate() -> None:
            siblings[:] = before
            for member in place:
                member.inside = inside

        return together, separate


def _nothing() -> None:
    """Nothing has to be taken back."""
