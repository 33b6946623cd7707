"""Sizes: how many bytes the messages of a plan take, estimated from above without rendering it.

A message carries its own call, the links that are left of its chain, and the body of its chord; a link or a body is a
whole signature in JSON. So the first message of a chain is as large as the chain, and every part of a chord carries the
chord's body and what follows it. Counted are headers, properties and body as JSON; Redis stores a third more (base64).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from workflows_app.engine.canvas.plans import Chain, Chord, Group, Plan, Task

MESSAGE = 1000
"""Headers, properties and the frame of the body of one message, without the names of its step and queue."""
LINK = 345
"""The signature of one step that waits for its turn, without the names of its step and queue."""
FRAME = 260
"""What a chain, a group or a chord adds to the signatures inside it."""
PLACE = 240
"""What being a member of a group, or the body of a chord, adds to a signature: ids of the group and of the parents."""
MATE = 9
"""A further member of a chunk, without its path and the digits of its generation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """What a plan weighs.

    Args:
        together: bytes of the messages that are sent at once, at the worst moment of the plan.
        largest: bytes of its largest message.
        messages: bytes of the message of each task, by the step that it names.
    """

    together: int
    largest: int
    messages: dict[str, int]


def weigh(plan: Plan) -> Weight:
    """Estimate the sizes of a plan's messages.

    >>> a, b = (Task(step=step, generation=1, queue="default") for step in ("a", "b"))
    >>> weigh(a).together, weigh(Group(members=(a, b))).together, weigh(Chain(links=(a, b))).largest
    (1017, 2034, 1371)
    """
    messages: dict[str, int] = {}
    together = max(_bursts(plan, 0, 0, messages))
    return Weight(together=together, largest=max(messages.values()), messages=messages)


def size(plan: Plan) -> int:
    """Return how many bytes the plan's messages take at the worst moment: what a region's limit is held against."""
    return weigh(plan).together


def chain(task: Task) -> int:
    """Return the size of a chain that begins with a task and has no further link yet."""
    return MESSAGE + 2 * _own(task) + PLACE


def link(task: Task) -> int:
    """Return what one more link adds to the size of a chain of tasks."""
    return signature(task) + 2


def signature(plan: Plan) -> int:
    """Return the bytes of a plan that waits for its turn inside a message.

    >>> signature(Task(step="pay", generation=1, queue="default"))
    356
    """
    match plan:
        case Task():
            return LINK + _own(plan)
        case Chain():
            return FRAME + _sum(plan.links)
        case Group():
            return FRAME + _sum(plan.members) + PLACE * len(plan.members)
        case Chord():
            return 2 * FRAME + _sum((*plan.header, plan.body)) + PLACE * (len(plan.header) + 1)


def _sum(plans: Iterable[Plan]) -> int:
    return sum(signature(plan) + 2 for plan in plans)


def _own(task: Task) -> int:
    """Bytes of what a message names."""
    mates = sum(MATE + len(path) + len(str(generation)) for path, generation in task.mates)
    return len(task.step) + len(task.queue) + len(str(task.generation)) + mates


def _ends(plan: Plan) -> int:
    """In how many places of a plan the body of the chord around it is written down."""
    match plan:
        case Task():
            return 1
        case Chain():
            return _ends(plan.links[-1])
        case Group():
            return sum(_ends(member) for member in plan.members)
        case Chord():
            return _ends(plan.body)


def _bursts(plan: Plan, rest: int, after: int, messages: dict[str, int]) -> Iterator[int]:
    """Yield the bytes of what is sent at once, for each moment of the plan, the first messages first.

    Args:
        rest: bytes of the links that follow the plan in its chain.
        after: bytes of the body of the chord around the plan.
        messages: gets the size of each message.
    """
    match plan:
        case Task():
            total = messages[plan.step] = MESSAGE + 2 * _own(plan) + rest + after
            yield total
        case Chain():
            copies = after * _ends(plan.links[-1])
            left = rest + copies + _sum(plan.links) + PLACE
            for link in plan.links[:-1]:
                left -= signature(link) + 2
                yield from _bursts(link, left, 0, messages)
            yield from _bursts(plan.links[-1], rest, after, messages)
        case Group():
            yield from _side_by_side(plan.members, rest, after, messages)
        case Chord():
            body = signature(plan.body) + rest + after * _ends(plan.body) + PLACE
            yield from _side_by_side(plan.header, 0, body, messages)
            yield from _bursts(plan.body, rest, after, messages)


def _side_by_side(members: Iterable[Plan], rest: int, after: int, messages: dict[str, int]) -> Iterator[int]:
    moments = [list(_bursts(member, rest, after, messages)) for member in members]
    yield sum(max(bursts) for bursts in moments)
