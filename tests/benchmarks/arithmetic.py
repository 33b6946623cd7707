"""Medians, percentiles and whether a ratio holds what was asked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

GROSS = 2.0
"""A ratio that misses its target by more than this factor is a regression that no noise explains."""


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` of all values do not exceed (nearest rank).

    >>> percentile([4.0, 1.0, 3.0, 2.0], 0.5), percentile([4.0, 1.0, 3.0, 2.0], 0.99)
    (2.0, 4.0)

    Raises:
        ValueError: there are no values, or ``share`` is not above 0 and at most 1.
    """
    if not values or not 0 < share <= 1:
        raise ValueError("a percentile needs values and a share above 0 and up to 1")
    return sorted(values)[math.ceil(share * len(values)) - 1]


def ratio(ours: Sequence[float], against: Sequence[float]) -> float | None:
    """The median of ours divided by the median that it is held against; None where either is missing.

    >>> ratio([10.0, 30.0, 20.0], [5.0, 100.0, 10.0])
    2.0
    """
    if not ours or not against or median(against) == 0:
        return None
    return median(ours) / median(against)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a ratio must reach, or must not exceed.

    Args:
        bound: the ratio asked for.
        lower_is_better: the ratio is one of latencies: it must not exceed the bound.
    """

    bound: float
    lower_is_better: bool = False

    def held(self, found: float) -> bool:
        """Whether a ratio meets the target.

        >>> Target(bound=1.5).held(1.5), Target(bound=4, lower_is_better=True).held(4.1)
        (True, False)
        """
        return found <= self.bound if self.lower_is_better else found >= self.bound

    def grossly_missed(self, found: float) -> bool:
        """Whether a ratio misses the target by more than the factor ``GROSS``.

        >>> Target(bound=1.5).grossly_missed(0.8), Target(bound=1.5).grossly_missed(0.7)
        (False, True)
        """
        return found > self.bound * GROSS if self.lower_is_better else found < self.bound / GROSS

    def __str__(self) -> str:
        return f"{'≤' if self.lower_is_better else '≥'} {self.bound:g}"
