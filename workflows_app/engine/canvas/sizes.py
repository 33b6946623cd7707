"""Sizes: how many bytes the messages of a plan take, estimated from above without rendering it.

A message carries its own call, the links that are left of its chain, and the body of its chord; a link or a body is a
whole signature in JSON. So the first message of a chain is as large as the chain, and every part of a chord carries the
chord's body and what follows it. Counted are headers, properties and body as JSON; Redis stores a third more (base64).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from workflows_app.engine.canvas.plans import Chain, Chord, Group, Plan, Task

MESSAGE = 940
"""Headers, properties and the frame of the body of one message, without what it names."""
LINK = 210
"""The signature of one step that waits for its turn, without what it names."""
FRAME = 170
"""What a chain, a group or a chord adds to the signatures inside it."""
IDS = 320
"""The ids that Celery writes into each signature of a group or chord when it sends the group or the chord's header."""
KEY = 16
"""The key under which a signature, or a list of them, is attached to another."""
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
    (958, 1916, 1179)
    """
    messages: dict[str, int] = {}
    together = max(_bursts(plan, 0, 0, False, messages))
    return Weight(together=together, largest=max(messages.values()), messages=messages)


def size(plan: Plan) -> int:
    """Return how many bytes the plan's messages take at the worst moment: what a region's limit is held against."""
    return weigh(plan).together


def message(task: Task) -> int:
    """Return the bytes of a message that carries nothing further."""
    return MESSAGE + 2 * _named(task)


def link(task: Task) -> int:
    """Return the bytes that one more link adds to a chain of tasks."""
    return _signature(task, False) + 2


def _signature(plan: Plan, ids: bool) -> int:
    """Bytes of a plan that waits for its turn inside a message; ``ids``: it is inside a group or a chord."""
    own = IDS if ids else 0
    match plan:
        case Task():
            return LINK + _named(plan) + own
        case Chain():
            return FRAME + own + _sum(plan.links, ids)
        case Group():
            return FRAME + own + _sum(plan.members, ids)
        case Chord():
            return FRAME + own + _sum((*plan.header, plan.body), ids) + (FRAME + own if ids else 0)


def _sum(plans: Iterable[Plan], ids: bool) -> int:
    return sum(_signature(plan, ids) + 2 for plan in plans)


def _named(task: Task) -> int:
    """Bytes of what a message names."""
    mates = sum(MATE + len(path) + len(str(generation)) for path, generation in task.mates)
    return len(task.step) + len(task.queue) + len(str(task.generation)) + mates


def _ends(plan: Plan) -> int:
    """In how many places of a plan the body of the chord around it is written down: its ends, and what holds them."""
    match plan:
        case Task():
            return 1
        case Chain():
            return _ends(plan.links[-1])
        case Group():
            return 1 + sum(_ends(member) for member in plan.members)
        case Chord():
            return 1 + _ends(plan.body)


def _bursts(plan: Plan, rest: int, after: int, ids: bool, messages: dict[str, int]) -> Iterator[int]:
    """Yield the bytes of what is sent at once, for each moment of the plan, the first messages first.

    Args:
        rest: bytes of the links that follow the plan in its chain.
        after: bytes of the body of the chord around the plan.
        ids: whether the plan is inside a group or a chord.
        messages: gets the size of each message.
    """
    match plan:
        case Task():
            total = messages[plan.step] = message(plan) + rest + after
            yield total
        case Chain():
            left = rest + after * _ends(plan.links[-1]) + _sum(plan.links, ids)
            for each in plan.links[:-1]:
                left -= _signature(each, ids) + 2
                yield from _bursts(each, left, 0, ids, messages)
            yield from _bursts(plan.links[-1], rest, after, ids, messages)
        case Group():
            yield from _side_by_side(plan.members, rest, after, messages)
        case Chord():
            body = KEY + _signature(plan.body, True) + KEY + rest + after * _ends(plan.body)
            yield from _side_by_side(plan.header, 0, body, messages)
            yield from _bursts(plan.body, rest, after, True, messages)


def _side_by_side(members: Iterable[Plan], rest: int, after: int, messages: dict[str, int]) -> Iterator[int]:
    yield sum(max(_bursts(member, rest, after, True, messages)) for member in members)
