"""Balancing: in which order the endpoints of a service are asked; the first one, and those that stand in for it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from workflows_app.engine.service_document import Endpoint
from workflows_app.engine.service_schema import Balance


def order(endpoints: Sequence[Endpoint], balance: Balance, *, turn: int, draw: float, key: str) -> list[Endpoint]:
    """Return all endpoints, each once, in the order in which a call tries them.

    Args:
        endpoints: of a service, at least one.
        balance: the service's choice.
        turn: how many calls this process made before; ``round_robin`` goes by it, and ``least_connections`` where
            endpoints have equally many calls under way, which only the database knows.
        draw: a number in [0, 1) drawn by the caller; ``random`` and ``weighted`` go by it.
        key: calls with the same key begin at the same endpoint under ``hash`` (rendezvous hashing: of the others none
            moves when one is added or removed).

    >>> ends = [Endpoint(connection=name, url=None, weight=weight) for name, weight in (("a", 1), ("b", 3), ("c", 1))]
    >>> def names(balance, **how):
    ...     chosen = order(ends, balance, **({"turn": 0, "draw": 0.0, "key": ""} | how))
    ...     return "".join(end.name for end in chosen)
    >>> [names(Balance.ROUND_ROBIN, turn=turn) for turn in (0, 1, 2, 3)]
    ['abc', 'bca', 'cab', 'abc']
    >>> [names(Balance.RANDOM, draw=draw) for draw in (0.0, 0.5, 0.99)]
    ['abc', 'bca', 'cab']
    >>> [names(Balance.WEIGHTED, draw=draw) for draw in (0.1, 0.3, 0.7, 0.9)]
    ['abc', 'bca', 'bca', 'cab']
    >>> names(Balance.HASH, key="order-1") == names(Balance.HASH, key="order-1")
    True
    """
    if balance is Balance.HASH:
        return sorted(endpoints, key=lambda each: hashlib.sha256(f"{key}\n{each.name}".encode()).digest())
    if balance is Balance.WEIGHTED:
        first = _weighted(endpoints, draw)
    elif balance is Balance.RANDOM:
        first = int(draw * len(endpoints))
    else:
        first = turn % len(endpoints)
    return [*endpoints[first:], *endpoints[:first]]


def _weighted(endpoints: Sequence[Endpoint], draw: float) -> int:
    left = draw * sum(each.weight for each in endpoints)
    for index, each in enumerate(endpoints):
        left -= each.weight
        if left < 0:
            return index
    return len(endpoints) - 1
