"""Retry arithmetic: whether another attempt is due, and after how many seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from workflows_app.engine.definition.model import Backoff, Retry

LONGEST_REST = 86_400
"""Seconds for which an error may hold up the next attempt at most, whatever it asks for."""


def interval(policy: Retry, failures: int, jitter: float) -> float:
    """Return the seconds to wait after the ``failures``-th counted failure.

    Args:
        policy: the step's retry policy.
        failures: counted failures so far, from 1.
        jitter: a number in [0, 1) drawn by the caller; 0.5 is the middle of the jitter's range. The back-off
            ``random`` draws its whole interval from it.

    >>> [interval(Retry(jitter=0), n, 0.5) for n in (1, 2, 3, 10)]
    [1.0, 2.0, 4.0, 60.0]
    >>> interval(Retry(backoff=Backoff.LINEAR, jitter=0), 3, 0.5)
    3.0
    >>> interval(Retry(backoff=Backoff.RANDOM, initial_interval=2, max_interval=10), 1, 0.25)
    4.0
    """
    if policy.backoff is Backoff.RANDOM:
        low = min(policy.initial_interval, policy.max_interval)
        return low + (policy.max_interval - low) * jitter
    if policy.backoff is Backoff.FIXED:
        base = policy.initial_interval
    elif policy.backoff is Backoff.LINEAR:
        base = policy.initial_interval * failures
    else:
        base = _exponential(policy, failures)
    base = min(base, policy.max_interval)
    return max(0.0, base * (1 + policy.jitter * (2 * jitter - 1)))


def _exponential(policy: Retry, failures: int) -> float:
    """Grow step by step and stop at the ceiling: a power would overflow for a million failures.

    >>> interval(Retry(jitter=0, max_attempts=10**9), 10**9, 0.5)
    60.0
    """
    base = policy.initial_interval
    if policy.multiplier <= 1:
        return base * policy.multiplier ** min(failures - 1, 1000)
    for _ in range(failures - 1):
        if base >= policy.max_interval or base == 0:
            break
        base *= policy.multiplier
    return base


def asked_for(problem: Mapping[str, Any]) -> float:
    """Return how many seconds the other side asked to be left alone: ``details.retry_after``, a day at most.

    Args:
        problem: the error that ended the attempt (RFC 9110, section 10.2.3, for ``http.request``).

    >>> asked_for({"code": "HTTP_ERROR", "details": {"status": 429, "retry_after": 90}}), asked_for({"code": "X"})
    (90.0, 0.0)
    >>> asked_for({"details": {"retry_after": 10**9}}), asked_for({"details": {"retry_after": "soon"}})
    (86400.0, 0.0)
    """
    details = problem.get("details")
    seconds = details.get("retry_after") if isinstance(details, Mapping) else None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        return 0.0
    return float(min(seconds, LONGEST_REST))


def limit_of(policy: Retry, code: str, meets: Callable[[int], bool]) -> int | None:
    """Return the place of the limit that a failure counts against, ``None`` where it counts against ``max_attempts``.

    Args:
        policy: the step's retry policy.
        code: of the error that ended the attempt; compared whole.
        meets: says of the place of a limit with a condition whether the error meets it; asked in order, and no
            further than to the first one that it meets.

    >>> from workflows_app.engine.definition.model import Limit
    >>> policy = Retry(limits=(Limit(code="BUSY", max_attempts=9), Limit(when="error.code == 'X'", max_attempts=2)))
    >>> limit_of(policy, "BUSY", lambda place: True), limit_of(policy, "X", lambda place: True)
    (0, 1)
    >>> limit_of(policy, "OTHER", lambda place: False) is None
    True
    """
    for place, limit in enumerate(policy.limits):
        if limit.code == code if limit.code is not None else meets(place):
            return place
    return None


def attempts_left(
    policy: Retry | None, failures: int, limited: Mapping[str, int] | None = None, limit: int | None = None
) -> int:
    """Return how many more attempts the policy grants after a failure; none without a policy.

    Args:
        policy: the step's retry policy.
        failures: counted failures, this one included.
        limited: how many of them counted against which of the policy's limits, by its place as text; this one
            included.
        limit: the place of the limit that this one counts against; ``None``: against ``max_attempts``.

    >>> from workflows_app.engine.definition.model import Limit
    >>> policy = Retry(max_attempts=3, limits=(Limit(code="BUSY", max_attempts=9),))
    >>> attempts_left(policy, 6, {"0": 5}, 0), attempts_left(policy, 6, {"0": 5})
    (4, 2)
    """
    if policy is None:
        return max(0, 1 - failures)
    limited = limited or {}
    if limit is not None:
        return max(0, policy.limits[limit].max_attempts - limited.get(str(limit), 0))
    return max(0, policy.max_attempts - (failures - sum(limited.values())))


def most_failures(policy: Retry | None) -> int:
    """Return how many attempts can fail before no other follows: all limits may be used but for their last attempt.

    >>> from workflows_app.engine.definition.model import Limit
    >>> most_failures(None), most_failures(Retry(max_attempts=3, limits=(Limit(code="BUSY", max_attempts=9),)))
    (1, 11)
    """
    if policy is None:
        return 1
    numbers = [policy.max_attempts, *(limit.max_attempts for limit in policy.limits)]
    return sum(numbers) - (len(numbers) - 1)


def counted(limited: Mapping[str, int] | None, limit: int | None) -> Mapping[str, int] | None:
    """Return the counts of the limits after a failure that counts against ``limit``.

    >>> counted(None, 1), counted({"1": 1}, 1), counted({"1": 1}, None)
    ({'1': 1}, {'1': 2}, {'1': 1})
    """
    if limit is None:
        return limited
    before = limited or {}
    return {**before, str(limit): before.get(str(limit), 0) + 1}


def forbids(policy: Retry, code: str, recoverable: bool) -> bool:
    """Say whether the error itself rules out another attempt: ``recoverable: false`` or a non-retryable code.

    Codes are compared whole, never by substring.
    """
    return not recoverable or code in policy.non_retryable
